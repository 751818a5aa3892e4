// SPDX-License-Identifier: GPL-2.0

#include <linux/ptr_ring.h>

#include "helpers.h"

int rtun_ptr_ring_init(struct ptr_ring *r, int size)
{
	return ptr_ring_init(r, size, GFP_KERNEL);
}

void rtun_ptr_ring_cleanup(struct ptr_ring *r, void (*destroy)(void *entry))
{
	void *entry;

	/* Nobody else has the ring, and in a softirq no consumer lock is taken. */
	while ((entry = __ptr_ring_consume(r)))
		destroy(entry);
	ptr_ring_cleanup(r, NULL);
}

/* The single-ring form takes the locks without disabling softirqs. */
int rtun_ptr_ring_resize_multiple(struct ptr_ring **rings, unsigned int nrings,
				  int size, void (*destroy)(void *entry))
{
	return ptr_ring_resize_multiple_bh(rings, nrings, size, GFP_KERNEL, destroy);
}

void rtun_ptr_ring_producer_lock(struct ptr_ring *r)
{
	spin_lock(&r->producer_lock);
}

void rtun_ptr_ring_producer_unlock(struct ptr_ring *r)
{
	spin_unlock(&r->producer_lock);
}

/* The consumer lock is the outer one, as in ptr_ring.h. */
void rtun_ptr_ring_lock_both(struct ptr_ring *r)
{
	spin_lock_bh(&r->consumer_lock);
	spin_lock(&r->producer_lock);
}

void rtun_ptr_ring_unlock_both(struct ptr_ring *r)
{
	spin_unlock(&r->producer_lock);
	spin_unlock_bh(&r->consumer_lock);
}

/*
 * Of a second ring, while the first one's locks are held. Not its consumer lock, too: who has that
 * may be interrupted by a softirq, which waits for a producer lock.
 */
void rtun_ptr_ring_producer_lock_nested(struct ptr_ring *r)
{
	spin_lock_nested(&r->producer_lock, SINGLE_DEPTH_NESTING);
}

int rtun___ptr_ring_produce(struct ptr_ring *r, void *entry)
{
	return __ptr_ring_produce(r, entry);
}

/*
 * Whether n entries wait, or all that there is room for. Those that were consumed count
 * until their batch is cleared: fewer than a batch may be none. The producer lock is held.
 */
bool rtun___ptr_ring_holds(const struct ptr_ring *r, unsigned int n)
{
	int place = r->producer;

	n = max_t(unsigned int, n, r->batch);
	if (n < (unsigned int)r->size) {
		place -= n;
		if (place < 0)
			place += r->size;
	}
	return r->size && READ_ONCE(r->queue[place]);
}

void *rtun___ptr_ring_consume(struct ptr_ring *r)
{
	return __ptr_ring_consume(r);
}

void rtun___ptr_ring_zero_tail(struct ptr_ring *r)
{
	__ptr_ring_zero_tail(r, r->consumer_head);
}

/* How many entries wait, if none that was consumed is still there. Both locks are held. */
int rtun___ptr_ring_len(const struct ptr_ring *r)
{
	int head = r->consumer_head, n = 0;

	while (n < r->size && r->queue[head]) {
		head = head + 1 < r->size ? head + 1 : 0;
		n++;
	}
	return n;
}

void rtun_ptr_ring_consumer_lock(struct ptr_ring *r)
{
	spin_lock(&r->consumer_lock);
}

void rtun_ptr_ring_consumer_unlock(struct ptr_ring *r)
{
	spin_unlock(&r->consumer_lock);
}

/*
 * Whether no more than n entries wait, or half of the room if that is less: the places
 * behind that may be of entries that were consumed. The consumer lock is held.
 */
bool rtun___ptr_ring_down_to(const struct ptr_ring *r, unsigned int n)
{
	int place = r->consumer_head + min_t(unsigned int, n, r->size / 2);

	if (place >= r->size)
		place -= r->size;
	return !r->size || !READ_ONCE(r->queue[place]);
}

void *rtun___ptr_ring_peek(struct ptr_ring *r)
{
	return __ptr_ring_peek(r);
}

void rtun___ptr_ring_discard_one(struct ptr_ring *r)
{
	__ptr_ring_discard_one(r);
}

/* The producer lock is held: it keeps the ring from being resized. */
bool rtun___ptr_ring_empty(struct ptr_ring *r)
{
	return __ptr_ring_empty(r);
}

bool rtun_ptr_ring_empty(struct ptr_ring *r)
{
	return ptr_ring_empty(r);
}

unsigned int rtun_ptr_ring_place(const struct ptr_ring *r)
{
	return READ_ONCE(r->consumer_head);
}
