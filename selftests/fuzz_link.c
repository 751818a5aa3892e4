// SPDX-License-Identifier: GPL-2.0-only
/* The devices as links: what an administrator may do to them: see fuzz.h. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>

#include "fuzz.h"
#include "rtnl.h"
#include "tun_test.h"

/* The kernel's own, which ETHTOOL_GPERMADDR lets out. */
#define ETOOSMALL	525

/* One of those with a name, or one that a queue is bound to. */
static int some_link(struct fuzz_thread *t, const char *what, long value)
{
	char name[IFNAMSIZ];

	fuzz_name(t, name);
	if (fuzz_one_in(t, 8)) {
		int fd = fuzz_slot(t);

		fuzz_note(t, "of fd %d: %s %ld", fd, what, value);
		return tun_index(fd);
	}
	fuzz_note(t, "%s: %s %ld", name, what, value);
	return link_index(name);
}

static long run_up(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int index = some_link(t, "", 1);

	return index < 0 ? index : link_up(index, true);
}

static long run_down(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int index = some_link(t, "", 0);

	return index < 0 ? index : link_up(index, false);
}

static long run_mtu(struct fuzz_thread *t, const struct fuzz_row *row)
{
	static const unsigned int mtus[] = {
		0, 67, 68, 1280, 1500, 1500, 9000, 65521, 65535, 65536,
	};
	unsigned int n = fuzz_pick(t, 12);
	uint32_t mtu = n < 10 ? mtus[n] : (uint32_t)fuzz_edge(t);
	int index = some_link(t, "", mtu);

	return index < 0 ? index : link_set_u32(index, IFLA_MTU, mtu);
}

static long run_txqlen(struct fuzz_thread *t, const struct fuzz_row *row)
{
	uint32_t len = fuzz_one_in(t, 4) ? (uint32_t)fuzz_edge(t) :
					   1 + fuzz_pick(t, 1000);
	int index = some_link(t, "", len);

	return index < 0 ? index : link_set_u32(index, IFLA_TXQLEN, len);
}

static long run_address(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int index, len = fuzz_one_in(t, 8) ? fuzz_pick(t, 33) : 6;
	uint8_t address[32];

	packet_fill(address, sizeof(address), fuzz_random(t));
	if (!fuzz_one_in(t, 8))
		address[0] &= ~1;
	index = some_link(t, "length", len);
	return index < 0 ? index : link_set_address(index, address, len);
}

static long run_rename(struct fuzz_thread *t, const struct fuzz_row *row)
{
	static const char *const odd[] = { "", "a/b", "lo", "%d", "fz%d" };
	char name[IFNAMSIZ];
	int index;

	fuzz_name(t, name);
	if (fuzz_one_in(t, 8))
		snprintf(name, sizeof(name), "%s", odd[fuzz_pick(t, 5)]);
	index = some_link(t, name, 0);
	return index < 0 ? index : link_set_name(index, name);
}

/* From a user namespace into one of the real root's: never. */
static long run_move(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int space = fuzz_pick(t, FUZZ_SPACES);
	int index = some_link(t, "", space);

	if (t->role == ROLE_USERNS)
		t->expect = EXPECT_ERROR;
	if (index < 0)
		return index;
	return link_set_ns(index, fuzz_one_in(t, 8) ? fuzz_slot(t) :
						      t->fuzz->space[space]);
}

static long run_delete(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int index = some_link(t, "", 0);

	return index < 0 ? index : link_delete(index);
}

/* Any link, whatever its name; most of the time they are only counted. */
static long run_any(struct fuzz_thread *t, const struct fuzz_row *row)
{
	struct if_nameindex *all, *link;
	unsigned int left;
	int err = 0;

	if (!fuzz_one_in(t, 4))
		return link_count_kind(tun_kind(), NULL);
	left = fuzz_pick(t, 16);
	all = if_nameindex();
	for (link = all; link && link->if_index; link++) {
		if (strcmp(link->if_name, "lo") && !left--) {
			fuzz_note(t, "delete %s", link->if_name);
			err = link_delete(link->if_index);
			break;
		}
	}
	if_freenameindex(all);
	return err;
}

static long run_create(struct fuzz_thread *t, const struct fuzz_row *row)
{
	char name[IFNAMSIZ];

	fuzz_name(t, name);
	fuzz_note(t, "%s", name);
	return link_create(tun_kind(), name);
}

static long run_vlan(struct fuzz_thread *t, const struct fuzz_row *row)
{
	char lower[IFNAMSIZ], name[IFNAMSIZ];
	int index;

	/* Of a TAP device, mostly: the others have no addresses. */
	snprintf(lower, sizeof(lower), "fuzz%u",
		 fuzz_pick(t, FUZZ_NAMES) | !fuzz_one_in(t, 4));
	snprintf(name, sizeof(name), "vlan%u", fuzz_pick(t, 4));
	fuzz_note(t, "%s on %s", name, lower);
	index = link_index(lower);
	return index < 0 ? index :
			   link_create_vlan(index, name, fuzz_pick(t, 4));
}

static long run_carrier(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int on = !fuzz_one_in(t, 3);
	int index = some_link(t, "", on);

	return index < 0 ? index : link_set_u8(index, IFLA_CARRIER, on);
}

static long run_get(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int index = some_link(t, "", 0);
	struct link_info info;

	return index < 0 ? index : link_get(index, &info);
}

static long run_attribute(struct fuzz_thread *t, const struct fuzz_row *row)
{
	static const int attrs[] = {
		IFLA_GROUP, IFLA_GSO_MAX_SIZE, IFLA_GSO_MAX_SEGS,
		IFLA_GRO_MAX_SIZE, IFLA_NUM_TX_QUEUES, IFLA_MASTER,
		IFLA_PROTO_DOWN, IFLA_LINKMODE, IFLA_OPERSTATE,
	};
	int attr = attrs[fuzz_pick(t, 9)], index;
	uint32_t value = fuzz_edge(t);

	index = some_link(t, "attribute", attr);
	if (index < 0)
		return index;
	return fuzz_one_in(t, 2) ? link_set_u32(index, attr, value) :
				   link_set_u8(index, attr, value);
}

/* A program that looks at what is written, or none. */
static long run_xdp(struct fuzz_thread *t, const struct fuzz_row *row)
{
	static const uint32_t modes[] = {
		0, XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE, XDP_FLAGS_HW_MODE,
		XDP_FLAGS_UPDATE_IF_NOEXIST, XDP_FLAGS_REPLACE,
	};
	int prog = fuzz_one_in(t, 2) ? -1 :
				       t->fuzz->xdp[fuzz_pick(t, FUZZ_XDPS)];
	uint32_t flags = modes[fuzz_one_in(t, 2) ? fuzz_pick(t, 6) : 0];
	int index;

	if (fuzz_one_in(t, 16))
		prog = fuzz_one_in(t, 2) ? t->fuzz->bpf : fuzz_slot(t);
	if (fuzz_one_in(t, 16))
		flags = fuzz_edge(t);
	index = some_link(t, "program", prog);
	return index < 0 ? index : link_set_xdp(index, prog, flags);
}

static long run_addr(struct fuzz_thread *t, const struct fuzz_row *row)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 2 };
	char name[IFNAMSIZ];
	unsigned int n = fuzz_name(t, name);
	int index, err;

	fuzz_note(t, "%s", name);
	index = link_index(name);
	if (index < 0)
		return index;
	err = addr_add4(index, fuzz_address(n), 24);
	return err || !(n & 1) ? err :
				 neigh_add4(index, fuzz_address(n) + 1, mac);
}

/* Addresses that a TAP is to receive, of which there are few. */
static long run_multicast(struct fuzz_thread *t, const struct fuzz_row *row)
{
	unsigned long cmd = fuzz_one_in(t, 2) ? SIOCADDMULTI : SIOCDELMULTI;
	struct ifreq ifr = { 0 };
	uint8_t *address = (uint8_t *)ifr.ifr_hwaddr.sa_data;

	address[0] = fuzz_one_in(t, 8) ? fuzz_random(t) : 1;
	address[5] = fuzz_pick(t, 4);
	fuzz_name(t, ifr.ifr_name);
	fuzz_note(t, "%s command %#lx %02x:..:%02x", ifr.ifr_name, cmd,
		  address[0], address[5]);
	return tun_ioctl_ptr(t->udp, cmd, &ifr);
}

/* Any command of ethtool's: each is asked of the driver, or is the core's. */
static long run_ethtool(struct fuzz_thread *t, const struct fuzz_row *row)
{
	static const uint32_t usual[] = {
		ETHTOOL_GDRVINFO, ETHTOOL_GLINK, ETHTOOL_GMSGLVL,
		ETHTOOL_SMSGLVL, ETHTOOL_GGRO, ETHTOOL_SGRO, ETHTOOL_GTSO,
		ETHTOOL_STSO, ETHTOOL_GCHANNELS, ETHTOOL_GCOALESCE,
		ETHTOOL_SCOALESCE, ETHTOOL_GET_TS_INFO, ETHTOOL_GLINKSETTINGS,
		ETHTOOL_SLINKSETTINGS, ETHTOOL_GSSET_INFO, ETHTOOL_GSTRINGS,
		ETHTOOL_GSTATS, ETHTOOL_GFEATURES,
	};
	const unsigned int n = sizeof(usual) / sizeof(*usual);
	uint32_t *data = (uint32_t *)t->room;
	struct ifreq ifr = { .ifr_data = (void *)data };
	int index;

	memset(data, 0, 4096);
	*data = fuzz_one_in(t, 2) ? usual[fuzz_pick(t, n)] :
				    fuzz_pick(t, 0x60);
	data[1] = fuzz_one_in(t, 2) ? fuzz_pick(t, 2) : (uint32_t)fuzz_edge(t);
	/* All of its values but rx-frames, the second, must be 0. */
	if (*data == ETHTOOL_SCOALESCE && !fuzz_one_in(t, 4)) {
		data[2] = data[1];
		data[1] = 0;
	}
	fuzz_name(t, ifr.ifr_name);
	fuzz_note(t, "%s command %#x value %#x", ifr.ifr_name, data[0],
		  data[1]);
	/* For a name that is not there, the kernel looks for a module. */
	index = link_index(ifr.ifr_name);
	if (index < 0)
		return index;
	if (fuzz_one_in(t, 16))
		ifr.ifr_data = fuzz_bad_pointer(t);
	return tun_ioctl_ptr(t->udp, SIOCETHTOOL, &ifr);
}

#define LINK(_name, _weight, _run, _flags, ...) {			\
	.name = _name, .weight = _weight, .run = run_##_run,		\
	.flags = _flags, .errors = { ENODEV, EBADFD, EINTR, __VA_ARGS__ } }

const struct fuzz_row fuzz_link_rows[] = {
	LINK("link up", 30, up, ROW_ADMIN, ENOMEM),
	LINK("link down", 3, down, ROW_ADMIN, 0),
	LINK("link mtu", 4, mtu, ROW_ADMIN, EINVAL),
	LINK("link txqlen", 4, txqlen, ROW_ADMIN, ENOMEM, ERANGE),
	LINK("link address", 4, address, ROW_ADMIN, EINVAL, EBUSY, EOPNOTSUPP,
	     EADDRNOTAVAIL),
	LINK("link name", 3, rename, ROW_ADMIN, EEXIST, EINVAL, EBUSY),
	LINK("link netns", 3, move, ROW_ADMIN | ROW_REAL, EEXIST, EINVAL,
	     EPERM, EBUSY),
	LINK("link delete", 2, delete, ROW_ADMIN, 0),
	LINK("link any", 2, any, ROW_NOBODY, EPERM, EOPNOTSUPP),
	LINK("link create", 1, create, ROW_ADMIN | ROW_NEVER, EEXIST, EINVAL,
	     EOPNOTSUPP),
	LINK("link vlan", 3, vlan, ROW_ADMIN, EEXIST, EINVAL, EOPNOTSUPP),
	LINK("link carrier", 3, carrier, ROW_ADMIN, EPERM, EOPNOTSUPP, EINVAL),
	LINK("link multicast", 3, multicast, ROW_ADMIN, EINVAL, ENOENT, EPERM),
	LINK("link get", 6, get, ROW_NOBODY, 0),
	LINK("link attribute", 4, attribute, ROW_ADMIN, EINVAL, ERANGE,
	     EOPNOTSUPP),
	LINK("link xdp", 6, xdp, ROW_ADMIN, EINVAL, EOPNOTSUPP, EBUSY, EEXIST,
	     EBADF, EPERM, ENOMEM),
	LINK("link ipv4", 8, addr, ROW_ADMIN, EEXIST, EINVAL, ENOBUFS),
	LINK("ethtool", 6, ethtool, ROW_NOBODY, EFAULT, EINVAL, EOPNOTSUPP,
	     EPERM, ETOOSMALL),
	{ }
};
