"""The firmware of the KVM probe: instructions by hand, so that nothing has to be assembled or shipped as a binary.

It is mapped at 0xf0000. The processor starts in real mode at 0xffff0; the program goes straight to 64-bit mode, with
one 2 MiB page mapped onto itself, and takes a breakpoint exception there. The handler writes SUCCESS to port 0xf4.
"""

SUCCESS = 0x41

_SIZE = 0x10000
_RESET_VECTOR = 0xFFF0

_PROGRAM = (
    # 16 bits
    ("fa fc", "cli; cld"),
    ("31 c0 8e d8 8e c0 8e d0", "ax, ds, es, ss = 0"),
    ("bf 00 10 66 31 c0 b9 00 0c 66 f3 ab", "clear 12 KiB at 0x1000: three levels of page tables"),
    ("c7 06 00 10 03 20", "level 4: entry 0 → 0x2000, present, writable"),
    ("c7 06 00 20 03 30", "level 3: entry 0 → 0x3000"),
    ("c7 06 00 30 83 00", "level 2: entry 0 → the 2 MiB at 0"),
    ("2e 66 0f 01 16 98 00", "lgdt cs:[0x98]"),
    ("0f 20 e0 0c 20 0f 22 e0", "cr4 |= PAE"),
    ("66 b8 00 10 00 00 0f 22 d8", "cr3 = 0x1000"),
    ("66 b9 80 00 00 c0 0f 32 66 0d 00 01 00 00 0f 30", "EFER |= LME"),
    ("0f 20 c0 66 0d 01 00 00 80", "eax = cr0 | PE | PG"),
    ("66 25 ff ff ff 9f 0f 22 c0", "cr0 = eax, caches on"),
    ("66 ea 6a 00 0f 00 08 00", "ljmp 8:0xf006a"),
    # 64 bits
    ("bc 00 80 00 00", "esp = 0x8000"),
    ("31 c0 8e d0", "ss = 0"),
    ("0f 01 1c 25 9e 00 0f 00", "lidt [0xf009e]"),
    ("cc", "int3"),
    ("b0 21 e6 f4 f4", "out 0xf4, 0x21: the exception was passed over; hlt"),
    ("b0 41 e6 f4 f4", "0x81, the handler: out 0xf4, SUCCESS; hlt"),
    ("00 00", ""),
    # tables
    ("00 00 00 00 00 00 00 00", "0x88, the GDT: nothing"),
    ("00 00 00 00 00 9b 20 00", "64-bit code, ring 0"),
    ("0f 00 88 00 0f 00", "0x98: the GDT's size and place"),
    ("3f 00 a8 00 0f 00 00 00 00 00", "0x9e: the IDT's size and place"),
    ("00 " * 48, "0xa8, the IDT: exceptions 0 to 2"),
    ("81 00 08 00 00 8e 0f 00 00 00 00 00 00 00 00 00", "exception 3, breakpoint → 8:0xf0081"),
)


def probe_rom() -> bytes:
    """The firmware image, 64 KiB."""
    program = b"".join(bytes.fromhex(code) for code, _ in _PROGRAM)
    first = bytes.fromhex("ea 00 00 00 f0")  # ljmp 0xf000:0
    return program.ljust(_RESET_VECTOR, b"\xff") + first.ljust(_SIZE - _RESET_VECTOR, b"\xff")
