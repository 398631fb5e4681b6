"""What secret messages do: passwords that other objects name by uuid."""

from typing import Any

from cardume.datamodel.refs import Ref
from cardume.datamodel.secret import Secret
from cardume.messages.call import Call
from cardume.messages.registry import implements


@implements("secret.create")
async def create(call: Call, args: Secret) -> Ref[Any]:
    return await call.db.create(args)


@implements("secret.destroy")
async def destroy(call: Call, self: Ref[Secret]) -> None:
    await call.db.delete(self)
