// SPDX-License-Identifier: GPL-2.0-only
/*
 * Room in front of what is written, for the headers of a device that a bridge
 * forwards it to. A probe of the stack's own tracepoint shows how much there is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/rtnetlink.h>

#include "port.h"
#include "rtnl.h"
#include "tracefs.h"
#include "harness.h"

#define GRE_HEADERS	24	/* the least that a gretap device puts in front */

#define PROBE		"t:%s/room netif_receive_skb head=skb->head:u64 data=skb->data:u64"
#define SELF		FIXTURE_DATA(headroom)

FIXTURE(headroom)
{
	struct port port;
	struct tracefs trace;
	char probe[32];
};

static int probes(const char *text)
{
	return write_file(TRACEFS_ROOT "/dynamic_events", text);
}

FIXTURE_SETUP(headroom)
{
	char text[128];
	int err;

	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, port_open(&self->port, "ours", TAP_NOPI, 1));
	/* The in-tree driver's way for small packets of others has its own room. */
	ASSERT_EQ(0, fcntl(self->port.fd[0], F_SETFL, 0));
	err = tracefs_new(&self->trace);
	if (err)
		SKIP(return, "no tracefs: %s", strerror(-err));
	snprintf(self->probe, sizeof(self->probe), "rtun%d", getpid());
	snprintf(text, sizeof(text), PROBE, self->probe);
	err = probes(text);
	if (err) {
		self->probe[0] = '\0';
		SKIP(return, "no probe of a tracepoint: %s", strerror(-err));
	}
	snprintf(text, sizeof(text), "events/%s/room/enable", self->probe);
	ASSERT_EQ(0, tracefs_write(&self->trace, text, "1"));
}

FIXTURE_TEARDOWN(headroom)
{
	char text[64];

	if (self->trace.dir[0])
		tracefs_delete(&self->trace);
	if (self->probe[0]) {
		snprintf(text, sizeof(text), "-:%s/room", self->probe);
		EXPECT_EQ(0, probes(text));
	}
	port_close(&self->port);
}

/* Of a packet that is written now, when the device hands it up. */
static long room(SELF *self)
{
	unsigned long long head, data;
	char buf[16384], *at;
	int err;

	tracefs_take(&self->trace, buf, sizeof(buf));
	err = port_write(&self->port, 0, 200, 1);
	if (err < 0)
		return err;
	err = tracefs_take(&self->trace, buf, sizeof(buf));
	if (err < 0)
		return err;
	at = strstr(buf, " head=");
	if (!at || sscanf(at, " head=%llu data=%llu", &head, &data) != 2)
		return -EPROTO;
	return data - head;
}

TEST_F(headroom, headroom)
{
	int bridge, wide, err = link_create("bridge", "bridge");
	long before, joined;

	if (!err)
		err = link_create_gretap("wide", 0x0a000001);
	if (err == -EOPNOTSUPP)
		SKIP(return, "no bridge, or no gretap");
	ASSERT_EQ(0, err);
	bridge = link_index("bridge");
	wide = link_index("wide");
	before = room(self);
	ASSERT_LT(0, before);
	ASSERT_EQ(0, link_set_u32(wide, IFLA_MASTER, bridge));
	ASSERT_EQ(0, link_set_u32(self->port.index, IFLA_MASTER, bridge));
	joined = room(self);
	EXPECT_LE(before + GRE_HEADERS, joined);
	ASSERT_EQ(0, link_set_u32(self->port.index, IFLA_MASTER, 0));
	EXPECT_EQ(before, room(self));
}

TEST_HARNESS_MAIN
