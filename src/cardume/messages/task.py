"""What task messages do: clients' own tasks, and the cancelling of any."""

from collections.abc import Mapping
from typing import Any, Protocol, cast

from cardume.datamodel import errors
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.task import TaskStatus
from cardume.messages.call import Call, Caller
from cardume.messages.registry import implements


class TaskService(Protocol):
    """The work that goes on; `api/tasks.py` is the implementation."""

    async def create(self, label: str, description: str, owner: Caller) -> Ref[Any]: ...

    def owner(self, ref: Ref[Any]) -> str:
        """Whose task it is."""
        ...

    def is_running(self, ref: Ref[Any]) -> bool:
        """True while work of this host's goes on under the task."""
        ...

    async def cancel(self, ref: Ref[Any], by: Ref[Any]) -> None: ...

    async def forget(self, ref: Ref[Any]) -> None: ...

    async def finish(self, ref: Ref[Any], status: TaskStatus, **changes: Any) -> None: ...


@implements("task.create")
async def create(call: Call, label: str, description: str) -> Ref[Any]:
    return await _tasks(call).create(label, description, call.caller)


@implements("task.destroy")
async def destroy(call: Call, self: Ref[Any]) -> None:
    _assert_may_touch(call, self, "task.destroy")
    await _tasks(call).forget(self)


@implements("task.cancel")
async def cancel(call: Call, task: Ref[Any]) -> None:
    _assert_may_touch(call, task, "task.cancel")
    await _tasks(call).cancel(task, call.task.ref)


@implements("task.set_status")
async def set_status(call: Call, self: Ref[Any], value: TaskStatus) -> None:
    _assert_own_work(call, self, "task.set_status")
    if value in (TaskStatus.PENDING, TaskStatus.CANCELLING):
        await call.db.update(self, status=value)
    else:
        await _tasks(call).finish(self, value)


@implements("task.set_progress")
async def set_progress(call: Call, self: Ref[Any], value: float) -> None:
    _assert_own_work(call, self, "task.set_progress")
    if not 0.0 <= value <= 1.0:
        raise errors.INVALID_VALUE("progress", value)
    await call.db.update(self, progress=value)


@implements("task.set_result")
async def set_result(call: Call, self: Ref[Any], value: str) -> None:
    _assert_own_work(call, self, "task.set_result")
    await call.db.update(self, result=value)


@implements("task.set_error_info")
async def set_error_info(call: Call, self: Ref[Any], value: tuple[str, ...]) -> None:
    _assert_own_work(call, self, "task.set_error_info")
    await call.db.update(self, error_info=value)


@implements("task.set_other_config")
async def set_other_config(call: Call, self: Ref[Any], value: Mapping[str, str]) -> None:
    _assert_may_touch(call, self, "task.set_other_config")
    await call.db.update(self, other_config=dict(value))


@implements("task.add_to_other_config")
async def add_to_other_config(call: Call, self: Ref[Any], key: str, value: str) -> None:
    _assert_may_touch(call, self, "task.add_to_other_config")
    async with call.db.transaction() as txn:
        record = txn.get(self)
        if key in record.other_config:
            raise errors.MAP_DUPLICATE_KEY("task", "other_config", record.uuid, key)
        txn.update(self, other_config={**record.other_config, key: value})


@implements("task.remove_from_other_config")
async def remove_from_other_config(call: Call, self: Ref[Any], key: str) -> None:
    _assert_may_touch(call, self, "task.remove_from_other_config")
    async with call.db.transaction() as txn:
        kept = {k: v for k, v in txn.get(self).other_config.items() if k != key}
        txn.update(self, other_config=kept)


def _assert_may_touch(call: Call, ref: Ref[Any], permission: str) -> None:
    """A task is its owner's; operators of the pool may touch any."""
    if call.caller.role < Role.POOL_OPERATOR and _tasks(call).owner(ref) != call.caller.user:
        raise errors.RBAC_PERMISSION_DENIED(f"{permission}/any", "The task is another user's.")


def _assert_own_work(call: Call, ref: Ref[Any], permission: str) -> None:
    """Clients tell how their own work goes, never how the pool's does."""
    _assert_may_touch(call, ref, permission)
    if _tasks(call).is_running(ref):
        raise errors.OPERATION_NOT_ALLOWED("The task is the pool's own work, which alone tells how it goes.")


def _tasks(call: Call) -> TaskService:
    return cast(TaskService, call.services["tasks"])
