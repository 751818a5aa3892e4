/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rtun's module, loaded and unloaded. Negative errnos. Its parameters are those
 * that RTUN_PARAMS names unless a test has others.
 */
#ifndef KMOD_H
#define KMOD_H

#include <stdbool.h>

#define KMOD_NAME	"rtun"

int kmod_load(void);
int kmod_load_with(const char *params);
int kmod_unload(void);
int kmod_unload_when_idle(void);
bool kmod_loaded(void);

#endif /* KMOD_H */
