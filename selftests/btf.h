/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's own types. Functions return a value >= 0, or a negative errno. */
#ifndef TUN_BTF_H
#define TUN_BTF_H

int btf_function(const char *name);

#endif /* TUN_BTF_H */
