"""What processors can do, as XenAPI writes it, and what a pool's processors can do together.

A feature set is the words of CPUID in which features are bits, as eight hexadecimal digits each, joined by dashes; in
the order that XenServer has: leaf 1 (EDX, ECX), 80000001h (EDX, ECX), 0Dh.1 (EAX), 7 (EBX, ECX), 80000007h (EDX),
80000008h (EBX), 7 (EDX). Linux names the same bits as words in `/proc/cpuinfo`, libvirt mostly by the same words.
"""

from collections.abc import Iterable

_WORDS = (
    # leaf 1, EDX
    "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - dts acpi mmx fxsr sse sse2 "
    "ss ht tm ia64 pbe",
    # leaf 1, ECX
    "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid dca sse4_1 sse4_2 "
    "x2apic movbe popcnt tsc_deadline_timer aes xsave - avx f16c rdrand hypervisor",
    # leaf 80000001h, EDX
    "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm 3dnowext 3dnow",
    # leaf 80000001h, ECX
    "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp fma4 "
    "tce - nodeid_msr - tbm topoext perfctr_core perfctr_nb - bpext ptsc perfctr_llc mwaitx - -",
    # leaf 0Dh, subleaf 1, EAX
    "xsaveopt xsavec xgetbv1 xsaves",
    # leaf 7, EBX
    "fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a avx512f avx512dq rdseed adx "
    "smap avx512ifma - clflushopt clwb intel_pt avx512pf avx512er avx512cd sha_ni avx512bw avx512vl",
    # leaf 7, ECX
    "- avx512vbmi umip pku ospke waitpkg avx512_vbmi2 - gfni vaes vpclmulqdq avx512_vnni avx512_bitalg - "
    "avx512_vpopcntdq - la57 - - - - - rdpid - - cldemote - movdiri movdir64b",
    # leaf 80000007h, EDX
    "",
    # leaf 80000008h, EBX
    "clzero irperf xsaveerptr - - - - - - wbnoinvd - - ibpb - ibrs stibp - - - - - - - - ssbd virt_ssbd",
    # leaf 7, EDX
    "- - avx512_4vnniw avx512_4fmaps fsrm - - - avx512_vp2intersect - md_clear - - - serialize - - - - - - - - - - - "
    "spec_ctrl intel_stibp flush_l1d arch_capabilities",
)
_BITS = {
    name: (word, bit) for word, names in enumerate(_WORDS) for bit, name in enumerate(names.split()) if name != "-"
}
_LIBVIRT = {
    "sse4_1": "sse4.1",
    "sse4_2": "sse4.2",
    "tsc_deadline_timer": "tsc-deadline",
    "intel_pt": "intel-pt",
    "sha_ni": "sha-ni",
    "avx512_vbmi2": "avx512vbmi2",
    "avx512_vnni": "avx512vnni",
    "avx512_bitalg": "avx512bitalg",
    "avx512_vpopcntdq": "avx512-vpopcntdq",
    "avx512_4vnniw": "avx512-4vnniw",
    "avx512_4fmaps": "avx512-4fmaps",
    "avx512_vp2intersect": "avx512-vp2intersect",
    "md_clear": "md-clear",
    "spec_ctrl": "spec-ctrl",
    "intel_stibp": "stibp",
    "arch_capabilities": "arch-capabilities",
    "virt_ssbd": "virt-ssbd",
    "ssbd": "amd-ssbd",
    "stibp": "amd-stibp",
    "cqm": "cmt",
}


def encode(flags: Iterable[str]) -> str:
    """The feature set of Linux's words; words that are no bit of CPUID are left out."""
    words = [0] * len(_WORDS)
    for flag in flags:
        if flag in _BITS:
            word, bit = _BITS[flag]
            words[word] |= 1 << bit
    return _join(words)


def decode(features: str) -> frozenset[str]:
    """Linux's words for a feature set; bits without a word are left out."""
    words = _split(features)
    return frozenset(name for name, (word, bit) in _BITS.items() if words[word] >> bit & 1)


def common(sets: Iterable[str]) -> str:
    """What all of these feature sets have; of none, nothing."""
    words: list[int] | None = None
    for one in sets:
        split = _split(one)
        words = split if words is None else [a & b for a, b in zip(words, split, strict=True)]
    return _join(words or [0] * len(_WORDS))


def lacks(has: str, needs: str) -> frozenset[str]:
    """What of the needed features a processor does not have, in Linux's words."""
    return decode(needs) - decode(has)


def libvirt_name(flag: str) -> str:
    """Libvirt's word for a feature."""
    return _LIBVIRT.get(flag, flag)


def _split(features: str) -> list[int]:
    """The words; what is not a feature set has none, and one from another version lacks some."""
    try:
        words = [int(word, 16) for word in features.split("-")] if features else []
    except ValueError:
        words = []
    return (words + [0] * len(_WORDS))[: len(_WORDS)]


def _join(words: Iterable[int]) -> str:
    return "-".join(f"{word:08x}" for word in words)
