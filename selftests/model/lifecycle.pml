/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of two queues of one device, with all that goes on beside it.
 *
 *	stack()		rust/driver/tx.rs: start_xmit, in an RCU read-side section
 *	reader()	rust/driver/tx.rs: receive; rust/net/sock.rs: wait_interruptible
 *	poller()	rust/driver/file.rs: poll, then a read that does not wait
 *	writer()	rust/driver/rx.rs: write
 *	control()	ioctls and `ip link delete`
 *	rtnl()		rust/driver/lifecycle.rs, one operation after the other, as RTNL has it:
 *			enable, disable, close, device_gone, deactivate, close_gap
 *	fput()		the last reference to a file; lifecycle::close
 *
 * A step is what one lock or one atomic instruction makes one. The gate is that
 * of gate.pml, which also shows that who waits for its users is woken. RCU is
 * what it guarantees: what was let go is freed once the section has ended that
 * ran then. Of the steering, it has a bucket for each of two flows and the
 * indices; steering.pml has more. Memory is taken to be ordered: each place
 * where the order counts has a full barrier or a lock.
 *
 * Checked: nobody uses what is freed; no packet is lost while a queue is active
 * and has room; a flow stays in order; sent = received + dropped + waiting; at
 * the end nobody sleeps who has a reason not to; deletion comes to its end even
 * though a reader or a writer never comes back from its user memory.
 */

#define NONE		3
#define FLOWS		2
#ifndef PACKETS
#define PACKETS		2
#endif
#ifndef OPS
#define OPS		2
#endif
#define ROOM		2	/* of a ring */

#define DEAD		1
#define DISABLED	2
#define ACTIVE		3
#define BOUND(q)	(state[q] >= DISABLED)

/* Queues: queue 0 has the reader and the writer, queue 1 the poller. */
byte state[2] = ACTIVE;
bit phase[2];
byte users[4];			/* of queue q in phase p: 2 * q + p */
bit link[2] = 1;		/* the reference to the device */
bit producer[2], consumer[2];	/* a ring's locks */
byte ring[4];			/* ROOM * q + i: a packet, its flow and number */
byte waiting[2];		/* in the ring */
bit queued[2], asleep[2];	/* the wait queue, and its only sleeper */
byte queue_refs[2] = 3;		/* file, member, slot */
bit queue_freed[2], queue_leaving[2];
byte file_refs[2];

/* The device. */
byte slot[2];
byte place[2];			/* member to index */
byte bucket[FLOWS];
byte nr_active = 2;
bit member[2] = 1;
bit settled = 1, changing;	/* settled, changing, or neither: a grace period runs */
bit registered = 1, running = 1;
byte dev_refs = 2;
bit dev_freed;
bit in_section;			/* the stack's RCU read-side section */

/* What the test knows. */
bit none_served;		/* no queue was active, for a moment at least */
byte served = 2;
byte sent, received, dropped;
byte last_sent[FLOWS], last_read[FLOWS];
bit deleting, deleted;

#define PACKET(f, n)	(((f) << 4) | (n))
#define FLOW(p)		((p) >> 4)
#define NUMBER(p)	((p) & 15)

/* The operations. */
mtype = { Attach, Detach, Close, Delete };
chan call = [0] of { mtype, byte };
chan done = [0] of { bit };	/* whether the caller has the device's end to do */

/* ---- Memory ---- */

inline put_queue(q)
{
	d_step {
		assert(queue_refs[q] > 0);
		queue_refs[q]--;
		if
		:: queue_refs[q] == 0 ->
			assert(waiting[q] == 0);
			if
#ifndef BUG_FREE_QUEUE_EARLY
			:: in_section -> queue_leaving[q] = 1
#endif
			:: else -> queue_freed[q] = 1
			fi
		:: else
		fi
	}
}

inline enter_section()
{
	in_section = 1
}

inline leave_section()
{
	d_step {
		in_section = 0;
		queue_freed[0] = queue_freed[0] || queue_leaving[0];
		queue_freed[1] = queue_freed[1] || queue_leaving[1];
		queue_leaving[0] = 0;
		queue_leaving[1] = 0;
		/* The earliest end that a grace period can have. */
		settled = settled || !changing
	}
}

/* ---- Gate, ring, wait queue ---- */

/* Sets in and p. What a user does with the device is checked when it leaves. */
inline enter(q)
{
	atomic {
		assert(!queue_freed[q]);
		in = BOUND(q);
		if
		:: in -> p = phase[q]; users[2 * q + p]++
		:: else
		fi
	}
}

inline leave(q)
{
	d_step {
		assert(link[q] && !dev_freed);
		assert(users[2 * q + p] > 0);
		users[2 * q + p]--;
		in = 0;
		p = 0
	}
}

/* Sets old_p. */
inline publish(q, new)
{
	d_step {
		if
		:: state[q] == ACTIVE && (new) != ACTIVE ->
			served--;
			none_served = none_served || served == 0
		:: else
		fi;
		state[q] = new;
		old_p = phase[q];
		phase[q] = !phase[q]
	}
}

inline wait_old(q)
{
	users[2 * q + old_p] == 0
}

inline lock_both(q)
{
	atomic { !consumer[q] -> consumer[q] = 1 };
	atomic { !producer[q] -> producer[q] = 1 }
}

inline unlock_both(q)
{
	d_step { producer[q] = 0; consumer[q] = 0 }
}

inline push(q, packet)
{
	d_step {
		assert(waiting[q] < ROOM);
		ring[ROOM * q + waiting[q]] = packet;
		waiting[q]++
	}
}

inline pop(q, packet)
{
	d_step {
		packet = ring[ROOM * q];
		waiting[q]--;
		ring[ROOM * q] = ring[ROOM * q + 1];
		ring[ROOM * q + 1] = 0
	}
}

/* Takes the oldest, or 0, under the consumer lock. */
inline consume(q, packet)
{
	atomic {
		!consumer[q];
		if
		:: waiting[q] > 0 ->
			pop(q, packet);
			assert(NUMBER(packet) > last_read[FLOW(packet)]);
			last_read[FLOW(packet)] = NUMBER(packet);
			received++
		:: else -> packet = 0
		fi
	}
}

/* wq_has_sleeper(), then wake_up. */
inline wake(q)
{
	if
	:: queued[q] -> asleep[q] = 0
	:: else
	fi
}

/* ---- The stack ---- */

/* Device::select: counts, bucket and place are read one after the other. */
inline steer(f, index)
{
	do
	:: atomic { nr_active == 0 -> index = NONE; break }
	:: atomic { nr_active == 1 -> index = 0; break }
	:: atomic { nr_active >= 2 -> index = bucket[f] };
		index = place[index];
#ifdef BUG_TORN_SELECT
		break
#else
		/* The member left since its bucket was read, or it would have a place. */
		if
		:: index != NONE -> break
		:: else
		fi
#endif
	od
}

inline drop_unready()
{
	/* A packet may only be lost so while no queue was there for it. */
	atomic { assert(none_served); dropped++ }
}

/* Device::steers_to: members are compared, since indices change between reads. */
#ifdef BUG_COMPARE_INDEX
#define ASK_AGAIN()	steer(f, other)
#define STILL		(other == txq)
#else
#define ASK_AGAIN()	skip
#define STILL		(bucket[f] == q)
#endif

/* Only the last queue can be named and yet take nothing. */
#ifdef BUG_NO_RETRY
#define GIVE_UP		(other == txq && slot[other] == q)
#elif defined(BUG_NO_RETRY_OF_MANY)
#define GIVE_UP		(other == txq && slot[other] == q && (q == NONE || state[q] != ACTIVE))
#else
#define GIVE_UP		(other == txq && slot[other] == q && nr_active <= 1 && (q == NONE || state[q] != ACTIVE))
#endif

proctype stack()
{
	byte f, n, txq = NONE, other = NONE, q = NONE;
	bit open;

	do
	:: n == PACKETS -> break
	:: n < PACKETS ->
		atomic {
			if
			:: f = 0
			:: f = 1
			fi;
			n++;
			enter_section();
			if
			:: !running -> goto next
			:: else
			fi;
			last_sent[f]++;
			sent++;
			none_served = (served == 0)
		}
		steer(f, txq);		/* select_queue */
		if
		:: txq == NONE -> txq = 0
		:: else
		fi;
again:
		q = slot[txq];
		if
		:: q != NONE ->
			atomic { !producer[q] -> producer[q] = 1; assert(!queue_freed[q]) };
			open = state[q] == ACTIVE;
			if
			:: open && !settled -> ASK_AGAIN(); open = STILL
			:: else
			fi;
			if
			:: open && waiting[q] < ROOM ->
				push(q, PACKET(f, last_sent[f]));
				producer[q] = 0;
#ifndef BUG_NO_WAKE_READER
				wake(q);
#endif
				assert(!queue_freed[q] && !dev_freed);
				goto next
			:: open && waiting[q] == ROOM ->
				d_step { producer[q] = 0; dropped++ };
				goto next
			:: !open -> producer[q] = 0
			fi
		:: else
		fi;
		steer(f, other);
		if
		:: other != NONE && !GIVE_UP -> txq = other; goto again
		:: else -> drop_unready()
		fi;
next:
		atomic {
			leave_section();
			txq = NONE; other = NONE; q = NONE; open = 0; f = 0
		}
	od
}

/* ---- Files ---- */

/* Drops a reference; who drops the last closes the file. */
inline fput(q)
{
	atomic {
		file_refs[q]--;
		last = file_refs[q] == 0
	}
	if
	:: last ->
		if
		:: BOUND(q) -> call!Close(q); done?last; finish(last)
		:: else
		fi;
		put_queue(q)
	:: else
	fi
}

/* netdev_run_todo(), after RTNL: waits for the references, then frees. */
inline finish(it)
{
	if
	:: it ->
		d_step { dev_refs == 0 -> dev_freed = 1; deleted = 1 }
	:: else
	fi
}

/* User memory whose page never comes. */
inline touch_user_memory()
{
	if
	:: true
	:: true ->
end_in_page_fault:
		false
	fi
}

proctype reader()
{
	byte packet;
	bit in, p, last;

	do
	:: enter(0);
		if
		:: !in -> break		/* EBADFD */
		:: else
		fi;
		consume(0, packet);
		if
		:: packet ->
			packet = 0;
#ifdef BUG_COPY_INSIDE
			touch_user_memory();
			leave(0);
#else
			leave(0);
			touch_user_memory();
#endif
			if
			:: true		/* reads on */
			:: break
			fi
		:: else ->
			leave(0);
			do
			:: true ->
#ifdef BUG_CHECK_BEFORE_PREPARE
				if
				:: atomic { !consumer[0] && (waiting[0] > 0 || !BOUND(0)) -> break }
				:: atomic { !consumer[0] && waiting[0] == 0 && BOUND(0) }
				fi;
				atomic { queued[0] = 1; asleep[0] = 1 }
#else
				atomic { queued[0] = 1; asleep[0] = 1 }
				if
				:: !consumer[0] && waiting[0] > 0 -> break
				:: !consumer[0] && waiting[0] == 0
				fi;
				if
				:: !BOUND(0) -> break
				:: else
				fi;
#endif
end_asleep:
				!asleep[0]
			od;
			atomic { queued[0] = 0; asleep[0] = 0 }
		fi
	od;
	fput(0)
}

proctype poller()
{
	byte packet;
	bit in, p, last, ready;

	do
	:: atomic { queued[1] = 1; asleep[1] = 1 }	/* poll_wait */
		do
		:: enter(1);
			if
			:: !in -> goto gone	/* EPOLLERR */
			:: else
			fi;
			atomic { !consumer[1] -> ready = waiting[1] > 0 };
			leave(1);
			if
			:: ready -> break
			:: else
			fi;
end_asleep:
			atomic { !asleep[1] -> asleep[1] = 1 }
		od;
		atomic { queued[1] = 0; asleep[1] = 0; ready = 0 }
		enter(1);
		if
		:: !in -> break
		:: else
		fi;
		consume(1, packet);		/* or EAGAIN */
		packet = 0;
		leave(1);
		if
		:: true
		:: break
		fi
	od;
gone:
	atomic { queued[1] = 0; asleep[1] = 0; ready = 0 }
	fput(1)
}

proctype writer()
{
	bit in, p, last;

	touch_user_memory();
	enter(0);
	if
	:: in ->
		skip;			/* identify, deliver */
		leave(0)
	:: else				/* EBADFD */
	fi;
	fput(0)
}

proctype control()
{
	byte n, q;
	bit last;

	do
	:: n == OPS -> break
	:: n < OPS -> break
	:: n < OPS && registered ->
		atomic { n = OPS; deleting = 1 };
		call!Delete(0);
		done?last;
		finish(last)
	:: n < OPS ->
		atomic {
			if
			:: file_refs[0] > 0 -> q = 0
			:: file_refs[1] > 0 -> q = 1
			:: else -> break
			fi;
			file_refs[q]++;
			n++
		}
		if
		:: call!Detach(q)
		:: call!Attach(q)
		fi;
		done?last;
		fput(q)
	od
}

/* ---- Under RTNL ---- */

inline begin_change()
{
	d_step { settled = 0; changing = 1 }
}

inline end_change()
{
	d_step { changing = 0; settled = !in_section }
}

/* hand_over: both locks of the ring that q has are held. */
inline hand_over(to)
{
	atomic { !producer[to] -> producer[to] = 1 };
	if
	:: waiting[to] < ROOM -> push(to, packet); producer[to] = 0;
#ifndef BUG_NO_WAKE_HEIR
		wake(to)
#endif
	:: else -> d_step { producer[to] = 0; dropped++ }
	fi;
	packet = 0
}

inline drop_waiting(q)
{
	do
	:: waiting[q] > 0 -> atomic { pop(q, packet); packet = 0; dropped++ }
	:: else -> break
	od
}

inline apply_without(q)
{
	if
	:: atomic { bucket[0] == q -> bucket[0] = heir }
	:: else
	fi;
	if
	:: atomic { bucket[1] == q -> bucket[1] = heir }
	:: else
	fi
}

inline deactivate(q)
{
	atomic {
		index = place[q];
		heir = (nr_active == 2 -> 1 - q : NONE);
		begin_change()
	}
#ifdef BUG_PUBLISH_OUTSIDE_LOCK
	publish(q, DISABLED);
#endif
	lock_both(q);
#ifndef BUG_PUBLISH_OUTSIDE_LOCK
	publish(q, DISABLED);
#endif
#ifdef BUG_CLEAR_INDEX_FIRST
	place[q] = NONE;
#endif
	if
	:: heir != NONE ->
#ifdef BUG_STEER_BEFORE_MOVE
		apply_without(q);
#endif
		do
		:: waiting[q] > 0 -> pop(q, packet); hand_over(heir)
		:: else -> break
		od;
		apply_without(q)
	:: else -> drop_waiting(q)
	fi;
	place[q] = NONE;
	unlock_both(q);
	wake(q);
	wait_old(q);
	close_gap();
	end_change()
}

/* The last of the active queues takes the index. */
inline close_gap()
{
	if
	:: atomic { index != nr_active - 1 -> last = nr_active - 1; moved = slot[last] }
#ifdef BUG_CLEAR_SLOT_FIRST
		slot[last] = NONE;
		queue_refs[moved]--;
#endif
		publish(moved, ACTIVE);
		d_step { old_q = slot[index]; slot[index] = moved; queue_refs[moved]++ }
		place[moved] = index;
		put_queue(old_q);
		wait_old(moved)
	:: else -> last = index
	fi;
	atomic { old_q = slot[last]; slot[last] = NONE }
	if
	:: old_q != NONE -> put_queue(old_q)
	:: else
	fi;
	d_step { nr_active = last; index = 0; last = 0; moved = 0; old_q = NONE; heir = 0 }
}

inline enable(q)
{
	atomic { index = nr_active; publish(q, ACTIVE) }
	wait_old(q);
	begin_change();
	d_step { slot[index] = q; queue_refs[q]++ }
	place[q] = index;
	if
	:: index == 1 ->
		nr_active = 2;
		/* It gets one of the two flows, if the other queue has both. */
		atomic { donor = 1 - q; flow = (bucket[0] == bucket[1] -> 1 : NONE) }
#ifndef BUG_ATTACH_NO_MOVE
		lock_both(donor);
		n = waiting[donor];
		do
		:: n > 0 ->
			pop(donor, packet);
			n--;
			if
			:: FLOW(packet) == flow -> hand_over(q)
			:: else -> push(donor, packet); packet = 0
			fi
		:: else -> break
		od;
#endif
		if
		:: flow != NONE -> bucket[flow] = q
		:: else
		fi;
#ifndef BUG_ATTACH_NO_MOVE
		unlock_both(donor)
#endif
	:: else ->
		bucket[0] = q;
		bucket[1] = q;
		nr_active = 1
	fi;
	d_step { index = 0; donor = 0; flow = 0; served++ }
	end_change()
}

inline reap(q)
{
#ifndef BUG_REAP_NO_WAIT
	users[2 * q] == 0;
	users[2 * q + 1] == 0;
#endif
	d_step { assert(link[q]); link[q] = 0; dev_refs-- }
}

inline tell_dead(q)
{
	if
	:: member[q] && BOUND(q) ->
#ifdef BUG_PUBLISH_AFTER_WAKE
		wake(q);
#endif
		lock_both(q);
		publish(q, DEAD);
		unlock_both(q);
#if !defined(BUG_PUBLISH_AFTER_WAKE) && !defined(BUG_NO_WAKE_DEAD)
		wake(q)
#endif
	:: else
	fi
}

inline let_go(q)
{
	if
	:: atomic { member[q] -> member[q] = 0 }
		reap(q);
		lock_both(q);
		drop_waiting(q);
		unlock_both(q);
		put_queue(q)
	:: else
	fi
}

inline clear_slot(i)
{
	if
	:: atomic { slot[i] != NONE -> old_q = slot[i]; slot[i] = NONE }
		put_queue(old_q)
	:: else
	fi
}

/* unregister_netdevice(): it goes down, in-flight sections end, ndo_uninit. */
inline unregister()
{
	if
	:: registered ->
		d_step { registered = 0; running = 0 }
		!in_section;
		nr_active = 0;
		tell_dead(0);
		tell_dead(1);
		clear_slot(0);
		clear_slot(1);
		old_q = NONE;
		let_go(0);
		let_go(1);
		mine = 1
	:: else
	fi
}

proctype rtnl()
{
	byte q, index, heir, last, moved, old_q = NONE, donor, flow, packet, n;
	bit old_p, mine;

end:
	do
	:: call?Detach(q) ->
		if
		:: state[q] == ACTIVE -> deactivate(q)
		:: else			/* EINVAL */
		fi;
		done!mine
	:: call?Attach(q) ->
		if
		:: state[q] == DISABLED -> enable(q)
		:: else
		fi;
		done!mine
	:: call?Close(q) ->
		if
		:: BOUND(q) ->
			dev_refs++;
			if
			:: state[q] == ACTIVE -> deactivate(q)
			:: else
			fi;
			publish(q, DEAD);
			reap(q);
			member[q] = 0;
			put_queue(q);
			if
			:: !member[0] && !member[1] -> unregister()
			:: else
			fi;
			dev_refs--
		:: else
		fi;
		done!mine;
		mine = 0
	:: call?Delete(q) ->
		unregister();
		done!mine;
		mine = 0
	od
}

/* ---- The end ---- */

/* Runs when nothing else can. */
proctype judge()
{
end:
	timeout;
	assert(!deleting || deleted);
	assert(!deleted || (!link[0] && !link[1] && dev_refs == 0));
	assert(registered || deleted);
	/* A sleeper has no packet, and a device. */
	assert(!queued[0] || (waiting[0] == 0 && BOUND(0)));
	assert(!queued[1] || (waiting[1] == 0 && BOUND(1)));
	assert(state[0] == ACTIVE || waiting[0] == 0);
	assert(state[1] == ACTIVE || waiting[1] == 0);
	assert(users[0] + users[1] + users[2] + users[3] == 0);
	assert(sent == received + dropped + waiting[0] + waiting[1])
}

init {
	atomic {
		slot[1] = 1;
		place[1] = 1;
		bucket[1] = 1;
		file_refs[0] = 1;
		file_refs[1] = 1;
		run rtnl();
		run stack();
		run reader();
#ifndef NO_WRITER
		file_refs[0] = 2;
		run writer();
#endif
		run poller();
		run control();
		run judge()
	}
}
