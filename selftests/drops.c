// SPDX-License-Identifier: GPL-2.0-only
/* Drop reasons, in an instance of the tracer of our own: see drops.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drops.h"
#include "tun_test.h"

#define TRACING		"/sys/kernel/tracing"
#define INSTANCE	TRACING "/instances/tun_test"
#define EVENT		INSTANCE "/events/skb/kfree_skb"

/*
 * Of packets of that protocol. -EOPNOTSUPP: this kernel has no such event.
 */
int drops_start(int proto)
{
	char filter[32];
	int err;

	if (access(TRACING "/instances", F_OK) &&
	    mount("tracefs", TRACING, "tracefs", 0, NULL))
		return -EOPNOTSUPP;
	rmdir(INSTANCE);	/* of a test that failed */
	if (mkdir(INSTANCE, 0700))
		return -errno;
	if (access(EVENT, F_OK)) {
		rmdir(INSTANCE);
		return -EOPNOTSUPP;
	}
	snprintf(filter, sizeof(filter), "protocol == %d", proto);
	err = write_file(EVENT "/filter", filter);
	return err ? err : write_file(EVENT "/enable", "1");
}

/* So far, for that reason; any, if it is NULL. */
int drops_count(const char *reason)
{
	char line[512], want[64];
	FILE *trace = fopen(INSTANCE "/trace", "re");
	int n = 0;

	if (!trace)
		return -errno;
	snprintf(want, sizeof(want), "reason: %s\n", reason ? reason : "");
	while (fgets(line, sizeof(line), trace)) {
		const char *at = strstr(line, "reason: ");

		if (at && (!reason || !strcmp(at, want)))
			n++;
	}
	fclose(trace);
	return n;
}

void drops_stop(void)
{
	write_file(EVENT "/enable", "0");
	rmdir(INSTANCE);
}
