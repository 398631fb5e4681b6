"""Section 2: a LUN that every host reaches becomes the pool's storage."""

import xml.etree.ElementTree as ET
from typing import Any

import XenAPI

from cardume.lab.errors import LabError
from cardume.lab.layout import FREENAS, LUN_SERIAL, TARGET_IQN, Network
from cardume.lab.walkthrough.findings import Finding, Value, expect, told
from cardume.lab.walkthrough.stage import SR, Stage, get_pool, get_sr

GIB = 1 << 30
_TYPE = "lvmoiscsi"
_CHOOSE_TARGET, _CHOOSE_LUN = "SR_BACKEND_FAILURE_96", "SR_BACKEND_FAILURE_107"


def scan(stage: Stage) -> Finding:
    """What *Scan Target Host* finds."""
    with stage.api() as api:
        stage.progress(told("progress.scan"))
        targets = [each["TargetIQN"] for each in _choices(api, _CHOOSE_TARGET, _where(stage))]
        luns = _luns(stage, api)
    facts = [told("fact.target", iqn=iqn) for iqn in targets]
    for lun in luns:
        values: dict[str, Value] = {"lun": lun["LUNid"], "serial": lun["serial"], "vendor": lun["vendor"]}
        facts.append(told("fact.lun", size_gib=int(lun["size"]) // GIB, **values))
    found = TARGET_IQN in targets and any(lun["serial"] == LUN_SERIAL for lun in luns)
    return Finding(tuple(facts), (expect("expect.lun_found", found, serial=LUN_SERIAL),))


def create(stage: Stage) -> Finding:
    """The repository on the LUN, attached on every host."""
    facts = []
    with stage.api() as api:
        _, pool = get_pool(api)
        if api.SR.get_by_name_label(SR):
            facts.append(told("fact.sr_before", sr=SR))
        else:
            (lun,) = (each for each in _luns(stage, api) if each["serial"] == LUN_SERIAL)
            config = {**_where(stage), "targetIQN": TARGET_IQN, "SCSIid": lun["SCSIid"]}
            what = f"LUN {lun['LUNid']}: {lun['serial']}: {int(lun['size']) // GIB} GiB ({lun['vendor']})"
            arguments: tuple[Any, ...] = (pool["master"], config, "0", SR, what, _TYPE, "user", True, {})
            took_s = stage.run(told("task.create_sr"), api, api.Async.SR.create, *arguments)
            facts.append(told("fact.sr_created", sr=SR, took_s=took_s))
        sr = api.SR.get_record(get_sr(api))
        attached = sum(api.PBD.get_currently_attached(pbd) for pbd in sr["PBDs"])
        default = api.SR.get_name_label(api.pool.get_default_SR(api.pool.get_all()[0]))
    size, used = int(sr["physical_size"]), int(sr["physical_utilisation"])
    facts.append(told("fact.sr_size", size_gib=size / GIB, used_gib=used / GIB))
    count = len(stage.lab.hosts)
    return Finding(
        tuple(facts),
        (
            expect("expect.sr_shared", bool(sr["shared"]), sr=SR),
            expect("expect.sr_attached", attached == count, sr=SR, hosts=count),
            expect("expect.sr_default", default == SR, sr=SR),
        ),
    )


def _where(stage: Stage) -> dict[str, str]:
    return {"target": stage.lab.address(FREENAS, Network.STORAGE), "port": "3260"}


def _luns(stage: Stage, api: Any) -> list[dict[str, str]]:
    return _choices(api, _CHOOSE_LUN, {**_where(stage), "targetIQN": TARGET_IQN})


def _choices(api: Any, code: str, config: dict[str, str]) -> list[dict[str, str]]:
    """What a probe offers to choose from, which XenAPI tells in an error."""
    host = get_pool(api)[1]["master"]
    try:
        api.SR.probe(host, config, _TYPE, {})
    except XenAPI.Failure as failure:
        if failure.details[0] != code:
            raise
        return read_choices(failure.details[3])
    raise LabError("the probe of the target offered nothing to choose")


def read_choices(text: str) -> list[dict[str, str]]:
    """The facts of each choice in a probe's XML."""
    return [{fact.tag: fact.text or "" for fact in choice} for choice in ET.fromstring(text)]
