// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-net behind the queues of a load: see load.h. What it has received for its
 * guest counts as read, and what it has taken of the guest's frames as written. While
 * it reads a queue nobody else does.
 */
#include <errno.h>
#include <sys/eventfd.h>

#include "load.h"

#define FRESH	8	/* stops, after which a slot gets another vhost-net */
/*
 * Buffers of the guest's: fewer than the packets that vhost takes out of a ring at a
 * time, so that it has some in its hands when it is stopped.
 */
#define ROOM	8

int load_vhost_open(struct load *load, int slot)
{
	struct load_slot *s = &load->slot[slot];
	int err = vhost_open(&s->vhost, VHOST_V1 | VHOST_HDR);

	if (err)
		return err;
	s->sent = 0;
	err = vhost_fill(&s->vhost, ROOM);
	return err ? err : load_watch(load, slot, s->vhost.rx.call);
}

/* Takes what the guest has received. */
int load_vhost_drain(struct load *load, int slot)
{
	struct vhost *vhost = &load->slot[slot].vhost;
	uint8_t buf[256];
	eventfd_t count;
	ssize_t len;

	eventfd_read(vhost->rx.call, &count);
	while (vhost_has_received(vhost)) {
		len = vhost_recv(vhost, buf, sizeof(buf));
		if (len < 0)
			return len;
		load_got(load, slot, buf, len);
		load->guest_read++;
	}
	return 0;
}

static int start(struct load *load, int slot, bool reads, bool writes)
{
	struct load_slot *s = &load->slot[slot];
	int err = 0;

	if (reads) {
		/* The poller would say again and again what is not its to read. */
		err = load_unwatch(load, s->fd);
		if (!err)
			err = vhost_set_rx_backend(&s->vhost, s->fd);
		s->guest_reads = true;
	}
	if (!err && writes) {
		err = vhost_set_tx_backend(&s->vhost, s->fd);
		s->guest_writes = true;
	}
	return err;
}

/* Does nothing if it works already. */
int load_vhost_start(struct load *load, int slot, bool reads, bool writes)
{
	struct load_slot *s = &load->slot[slot];
	int err = 0;

	pthread_rwlock_wrlock(&s->lock);
	if (s->fd >= 0 && !s->guest_reads && !s->guest_writes)
		err = start(load, slot, reads, writes);
	pthread_rwlock_unlock(&s->lock);
	return err;
}

/* Since it was looked at last. */
static int count_sent(struct load *load, struct load_slot *s)
{
	int sent = vhost_sent(&s->vhost);

	if (sent < 0)
		return sent;
	load->guest_wrote[s->number] += (uint16_t)(sent - s->sent);
	s->sent = sent;
	return 0;
}

/* Stops it, who has the slot's lock for writing. Does nothing if it does not work. */
int load_vhost_clear(struct load *load, int slot)
{
	struct load_slot *s = &load->slot[slot];
	int err;

	if (!s->guest_reads && !s->guest_writes)
		return 0;
	err = vhost_set_backend(&s->vhost, -1);
	if (!err)
		err = load_vhost_drain(load, slot);
	if (!err)
		err = count_sent(load, s);
	if (!err && s->guest_reads && s->fd >= 0)
		err = load_watch(load, slot, s->fd);
	s->guest_reads = false;
	s->guest_writes = false;
	if (err || ++s->stops % FRESH)
		return err;
	vhost_close(&s->vhost);
	return load_vhost_open(load, slot);
}

int load_vhost_stop(struct load *load, int slot)
{
	int err;

	pthread_rwlock_wrlock(&load->slot[slot].lock);
	err = load_vhost_clear(load, slot);
	pthread_rwlock_unlock(&load->slot[slot].lock);
	return err;
}

/* Gives vhost so many frames to send, or fewer if it has enough. */
int load_vhost_write(struct load *load, int slot, const void *packet,
		     size_t len, int count)
{
	struct vhost *vhost = &load->slot[slot].vhost;
	int err = vhost_reclaim(vhost, 0);

	if (err > 0)
		err = 0;
	while (!err && count--)
		err = vhost_queue(vhost, packet, len);
	if (err && err != -ENOSPC)
		return err;
	return vhost_kick(&vhost->tx);
}
