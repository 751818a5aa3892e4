/* SPDX-License-Identifier: GPL-2.0-only */
/* A trace instance of the test's own. Functions return 0 or a negative errno. */
#ifndef TRACEFS_H
#define TRACEFS_H

#include <stddef.h>

/* Where it is mounted, for what all instances have in common. */
#define TRACEFS_ROOT	"/mnt"

struct tracefs {
	char dir[64];
};

int tracefs_new(struct tracefs *t);
int tracefs_write(const struct tracefs *t, const char *file, const char *text);
int tracefs_take(const struct tracefs *t, char *buf, size_t size);
void tracefs_delete(const struct tracefs *t);

#endif /* TRACEFS_H */
