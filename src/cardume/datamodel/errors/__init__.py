"""XenAPI's errors, each declared once: code, names of its parameters, and the sentence a person reads.

`raise errors.VM_BAD_POWER_STATE(vm, "Halted", "Running")`. Only `api/` turns an ApiError into a failure on the wire.
The modules of this package are themes; callers need not know which, for every code is found here.
"""

# ruff: noqa: F403 – all that the themes declare is meant, and nothing else is in them

from cardume.datamodel.errors.calls import *
from cardume.datamodel.errors.certificates import *
from cardume.datamodel.errors.clusters import *
from cardume.datamodel.errors.declared import CODES as CODES
from cardume.datamodel.errors.declared import ApiError as ApiError
from cardume.datamodel.errors.declared import ErrorCode as ErrorCode
from cardume.datamodel.errors.devices import *
from cardume.datamodel.errors.graphics import *
from cardume.datamodel.errors.ha import *
from cardume.datamodel.errors.hosts import *
from cardume.datamodel.errors.import_export import *
from cardume.datamodel.errors.networks import *
from cardume.datamodel.errors.patches import *
from cardume.datamodel.errors.placement import *
from cardume.datamodel.errors.pool import *
from cardume.datamodel.errors.repositories import *
from cardume.datamodel.errors.services import *
from cardume.datamodel.errors.sessions import *
from cardume.datamodel.errors.storage import *
from cardume.datamodel.errors.vms import *
