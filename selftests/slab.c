// SPDX-License-Identifier: GPL-2.0-only
/* Objects of caches: see slab.h. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "slab.h"
#include "tun_test.h"

#define LINE		512
#define FEW		8

/* Packets, queues, what hangs on a device, and what files and namespaces are. */
static bool is_watched(const char *name)
{
	static const char * const prefix[] = {
		"kmalloc-", "skbuff_", "filp", "net_namespace", "rtun",
	};
	size_t i;

	for (i = 0; i < sizeof(prefix) / sizeof(*prefix); i++) {
		if (!strncmp(name, prefix[i], strlen(prefix[i])))
			return true;
	}
	return false;
}

/* What is free in a CPU's hands counts as allocated until then. */
static int flush(const char *name)
{
	char path[LINE];

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", name);
	return write_file(path, "1");
}

/*
 * Where references are tracked, a dead tracker is kept until 128 others of its
 * object have died: of the two kinds to the namespace, and of those to its lo.
 */
static long dead_trackers(const char *name)
{
	bool tracked = !access(DEBUGFS "/ref_tracker", F_OK);

	return tracked && !strcmp(name, "kmalloc-32") ? 3 * 128 : 0;
}

/* A sheaf that a CPU gathers for the end of a grace period stays all the same. */
static long slack(const char *name)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), capacity = 0;
	char path[LINE], text[32];

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/sheaf_capacity",
		 name);
	if (read_file(path, text, sizeof(text)) > 0)
		capacity = atol(text);
	return FEW + (cpus + 1) * capacity + dead_trackers(name);
}

static int parse(struct slabs *slabs, const char *line)
{
	struct slab_cache *cache = &slabs->cache[slabs->n];

	if (sscanf(line, "%31s %ld", cache->name, &cache->objects) != 2 ||
	    !is_watched(cache->name))
		return 0;
	if (++slabs->n == SLAB_CACHES)
		return -E2BIG;
	return 0;
}

static int read_all(struct slabs *slabs)
{
	FILE *file = fopen("/proc/slabinfo", "re");
	char line[LINE];
	int err = 0;

	if (!file)
		return -errno;
	slabs->n = 0;
	while (!err && fgets(line, sizeof(line), file))
		err = parse(slabs, line);
	fclose(file);
	if (err)
		return err;
	return slabs->n ? 0 : -ENODATA;
}

int slabs_get(struct slabs *slabs)
{
	int i, err = read_all(slabs);

	for (i = 0; !err && i < slabs->n; i++)
		err = flush(slabs->cache[i].name);
	err = err ? err : read_all(slabs);
	for (i = 0; !err && i < slabs->n; i++)
		slabs->cache[i].slack = slack(slabs->cache[i].name);
	return err;
}

static const struct slab_cache *find(const struct slabs *slabs,
				     const char *name)
{
	int i;

	for (i = 0; i < slabs->n; i++) {
		if (!strcmp(slabs->cache[i].name, name))
			return &slabs->cache[i];
	}
	return NULL;
}

static int compare(const struct slabs *before, const struct slabs *now,
		   bool print)
{
	const struct slab_cache *old, *new;
	int i, grown = 0;

	for (i = 0; i < before->n; i++) {
		old = &before->cache[i];
		new = find(now, old->name);
		if (!new || new->objects - old->objects <= old->slack)
			continue;
		grown++;
		if (print)
			printf("# %s: %ld objects more, %ld may be\n",
			       old->name, new->objects - old->objects,
			       old->slack);
	}
	return grown;
}

int slabs_grown(const struct slabs *before)
{
	struct slabs now;
	int err;

	wait_until((err = slabs_get(&now)) || !compare(before, &now, false));
	return err ? err : compare(before, &now, true);
}
