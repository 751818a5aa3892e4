/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many objects the caches have from which a network driver, and the stack
 * for it, allocate: a leak too slow to be seen otherwise grows one of them.
 *
 * Functions return a value >= 0, or a negative errno.
 */
#ifndef SLAB_H
#define SLAB_H

#define SLAB_CACHES	128

struct slab_cache {
	char name[32];
	long objects;
	long slack;		/* objects that may be on their way out */
};

struct slabs {
	int n;
	struct slab_cache cache[SLAB_CACHES];
};

int slabs_get(struct slabs *slabs);

/* Waits. How many caches have grown since; they are printed. */
int slabs_grown(const struct slabs *before);

#endif /* SLAB_H */
