/** Files of the project as texts of the connector; `sendbox.h` includes it. */
#ifndef SENDBOX_FILE_H
#define SENDBOX_FILE_H

/**
 * Declares `name`, the text of a file of the project, with its path from the project's folder.
 * A compiler reads it while it assembles.
 */
#if defined(__APPLE__)
#define SB_FILE(name, path)                                                                        \
    __asm__(".const_data\n.globl _" #name "\n_" #name ":\n.incbin \"" path "\"\n.byte 0\n.text");  \
    extern const char name[]
#else
#define SB_FILE(name, path)                                                                        \
    __asm__(".section .rodata." #name ",\"" SB_SECTION_FLAGS "\"," SB_SECTION_TYPE "\n"            \
            ".globl " #name "\n.type " #name ",@object\n" #name ":\n.incbin \"" path "\"\n"        \
            ".byte 0\n.L" #name "_end:\n.size " #name ", .L" #name "_end - " #name "\n.text");     \
    extern const char name[]
#endif
#if defined(__wasm__)
#define SB_SECTION_FLAGS ""
#define SB_SECTION_TYPE "@"
#else
#define SB_SECTION_FLAGS "a"
#define SB_SECTION_TYPE "%progbits"
#endif

#endif
