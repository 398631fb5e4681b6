# Unpacks the kernel and enters it. Takes the place of the kernel's own unpacker, which knows only XZ: four of the
# ten seconds a guest takes to boot under emulation go there. LZ4 takes a tenth of that.
#
# A loader puts this at 1 MiB and jumps here in 32-bit mode, paging off, %esi at the boot parameters (the kernel's
# documented 32-bit boot protocol). The kernel wants 64-bit mode, its memory mapped one to one, %rsi likewise.
#
# Defined from outside: KERNEL (where it goes and is entered), PACKED_BYTES (a multiple of 4), PACKED_END.

        .code32
        .globl _start
_start: cli
        movl    $stack_end, %esp
        pushl   %esi

        # The packed kernel lies where the unpacked one goes. Move it up, from its end on, so that unpacking
        # catches up with it only when all of it was read.
        std
        movl    $packed + PACKED_BYTES - 4, %esi
        movl    $PACKED_END - 4, %edi
        movl    $PACKED_BYTES / 4, %ecx
        rep movsl
        cld
        leal    4(%edi), %esi
        movl    $KERNEL, %edi

        # Each block: its length, then LZ4 sequences. A block of no length ends them.
block:  lodsl
        testl   %eax, %eax
        jz      unpacked
        leal    (%esi, %eax), %ebp
sequence:
        movzbl  (%esi), %edx
        incl    %esi
        movl    %edx, %eax
        shrl    $4, %eax
        call    length
        call    copy                            # literals
        cmpl    %ebp, %esi
        jae     block                           # a block's last sequence has nothing else
        movzwl  (%esi), %eax
        addl    $2, %esi
        movl    %edi, %ebx
        subl    %eax, %ebx
        movl    %edx, %eax
        andl    $15, %eax
        call    length
        addl    $4, %ecx
        xchgl   %esi, %ebx                      # again what was written before; it may overlap what it writes
        leal    4(%esi), %eax
        cmpl    %eax, %edi
        jb      1f
        call    copy
        movl    %ebx, %esi
        jmp     sequence
1:      rep movsb                               # so close that words would overlap
        movl    %ebx, %esi
        jmp     sequence

# Copies %ecx bytes in words, as emulation takes as long for a byte of `rep movsb` as for ten such words. What it
# writes too much is written over by what follows, or lies behind the kernel, where the margin is.
copy:   addl    %edi, %ecx
        jmp     2f
1:      movl    (%esi), %eax
        movl    %eax, (%edi)
        addl    $4, %esi
        addl    $4, %edi
2:      cmpl    %ecx, %edi
        jb      1b
        subl    %ecx, %edi
        subl    %edi, %esi
        movl    %ecx, %edi
        ret

# A length whose first part is in %eax goes on in further bytes when that part is 15; result in %ecx.
length: movl    %eax, %ecx
        cmpl    $15, %eax
        jne     2f
1:      movzbl  (%esi), %eax
        incl    %esi
        addl    %eax, %ecx
        cmpl    $255, %eax
        je      1b
2:      ret

unpacked:
        popl    %esi
        lgdt    gdt_register
        movl    %cr4, %eax
        orl     $0x20, %eax                     # PAE
        movl    %eax, %cr4
        movl    $level4, %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx               # EFER
        rdmsr
        orl     $0x100, %eax                    # LME
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000001, %eax               # PG, PE
        movl    %eax, %cr0
        ljmp    $0x10, $long_mode

        .code64
long_mode:
        movl    $0x18, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    $KERNEL, %eax
        jmp     *%rax

        .balign 8
gdt:    .quad   0, 0
        .quad   0x00af9a000000ffff              # 0x10: code, 64 bits
        .quad   0x00cf92000000ffff              # 0x18: data
gdt_register:
        .word   gdt_register - gdt - 1
        .long   gdt

        # A page of its own: emulation translates a page's code again whenever something is written beside it.
        .balign 4096, 0
        .fill   4096
stack_end:

        # The first 4 GiB one to one, in pages of 2 MiB.
level4: .long   level3 + 3, 0
        .balign 4096, 0
level3: .long   level2 + 3, 0, level2 + 0x1003, 0, level2 + 0x2003, 0, level2 + 0x3003, 0
        .balign 4096, 0
level2: .set    page, 0
        .rept   2048
        .long   page * 0x200000 + 0x83, 0
        .set    page, page + 1
        .endr
packed:
