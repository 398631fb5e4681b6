"""task: a piece of work that goes on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, field, message, named, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.host import Host


@named("task_status_type")
class TaskStatus(StrEnum):
    """Whether work goes on, and how it ended."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


@named("task_allowed_operations")
class TaskOperation(StrEnum):
    """What may be done with a task."""

    CANCEL = "cancel"
    DESTROY = "destroy"


_OTHER_CONFIG_ROLES = {
    "applies_to": Role.VM_OPERATOR,
    "XenCenterUUID": Role.VM_OPERATOR,
    "XenCenterMeddlingActionTitle": Role.VM_OPERATOR,
}


@xenclass(name="task", role=Role.READ_ONLY, volatile=True, has_async=False)
class Task:
    """A piece of work that goes on: its progress, and its result or error once it is done."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(RO, "the work's name; for a message called asynchronously, the message's name")
    name_description: str = field(RO, "what the work is, for people to read")
    created: datetime = field(RO, "when the work began")
    finished: datetime = field(RO, "when the work ended; 1970 until then")
    status: TaskStatus = field(RO, "whether the work goes on, and how it ended", TaskStatus.PENDING)
    progress: float = field(RO, "how much of the work is done, from 0 to 1; 1 once it ended")
    type: str = field(RO, "the kind of the result")
    result: str = field(RO, "the result as XML-RPC text once the work succeeded")
    error_info: Set[str] = field(RO, "the error code and its parameters once the work failed")
    backtrace: str = field(RO, "where in the program the work failed; for the programmers", "()")
    resident_on: Ref[Host] = field(RO, "the host that does the work")
    subtask_of: Ref[Task] = field(RO, "the work that this one is a part of")
    subtasks: Set[Ref[Task]] = field(RO, "the parts of this work", backref="task.subtask_of")
    other_config: Mapping[str, str] = field(RO, "more facts, for clients to keep")
    allowed_operations: Set[TaskOperation] = field(
        RO, "what may be done with the task now; cancel is there while it can be cancelled"
    )
    current_operations: Mapping[str, TaskOperation] = field(RO, "what is being done with the task, by task reference")

    @message()
    @staticmethod
    def create(label: str, description: str) -> Ref[Task]:
        """Make a task for work that a client does, or that it gives to an HTTP transfer."""

    @message()
    def destroy(self) -> None:
        """Forget the task; work that goes on is not stopped by it."""

    @message(errors=("OPERATION_NOT_ALLOWED",))
    def cancel(task) -> None:
        """Ask for the work to stop; the task ends as cancelled once it has."""

    @message()
    def set_status(self, value: TaskStatus) -> None:
        """Say how the client's own work goes."""

    @message()
    def set_progress(self, value: float) -> None:
        """Say how much of the client's own work is done, from 0 to 1."""

    @message()
    def set_result(self, value: str) -> None:
        """Say what the client's own work resulted in."""

    @message()
    def set_error_info(self, value: Set[str]) -> None:
        """Say why the client's own work failed: an error code and its parameters."""

    @message()
    def set_other_config(self, value: Mapping[str, str]) -> None:
        """Replace the facts that clients keep with the task."""

    @message(key_roles=_OTHER_CONFIG_ROLES)
    def add_to_other_config(self, key: str, value: str) -> None:
        """Add a fact for clients to keep with the task."""

    @message(key_roles=_OTHER_CONFIG_ROLES)
    def remove_from_other_config(self, key: str) -> None:
        """Remove a fact that clients keep with the task."""
