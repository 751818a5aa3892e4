/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What clang must be told of a kernel that gcc built, before any other header.
 *
 * LLVM has named address spaces, but forgets the segment of an operand of inline
 * assembly, so that Kconfig lets gcc have them only. Without them, the assembly
 * names the segment itself.
 */
#undef CONFIG_CC_HAS_NAMED_AS
#undef CONFIG_USE_X86_SEG_SUPPORT
