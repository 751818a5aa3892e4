/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of two queues of one device, with all that goes on beside it.
 *
 *	stack()		rust/driver/tx.rs: start_xmit, in an RCU read-side section
 *	reader()	rust/driver/tx.rs: receive; rust/net/sock.rs: wait_interruptible
 *	poller()	rust/driver/file.rs: poll, then a read that does not wait
 *	writer()	rust/driver/rx.rs: write
 *	control()	ioctls, close() and `ip link delete`
 *	rtnl()		rust/driver/lifecycle.rs, one operation after the other, as RTNL has
 *			it: enable, disable, close, device_gone, bind
 *
 * Reader, poller and writer have queue 0, as far as READER, POLLER and WRITER say;
 * control has both queues' files too.
 *
 * A step is what one lock or one atomic instruction makes one. The gate is that of
 * gate.pml, which also shows that who waits for its users is woken. RCU is what it
 * guarantees: what was let go is freed once the section has ended that ran then.
 * Packets have no names and any lane: which goes where, and in which order, is in
 * steering.pml. When the device goes, the stack has stopped to send.
 *
 * Checked: nobody uses what is freed; no packet is lost while a queue is active
 * and has room; sent = received + dropped + waiting; at the end nobody sleeps who
 * has a reason not to, such as a packet, or a device that is gone, though the file
 * be bound to another; nobody waits for ever; deletion comes to its end even though a
 * reader or a writer never comes back from its user memory.
 */

#define NONE		3
#ifndef PACKETS
#define PACKETS		2
#endif
#ifndef OPS
#define OPS		2
#endif
#ifndef ROOM
#define ROOM		1	/* of a ring */
#endif

#define DEAD		1
#define DISABLED	2
#define ACTIVE		3
#define BOUND(q)	(state[q] >= DISABLED)

/* The queues. */
byte state[2] = ACTIVE;
bit phase[2];
byte users[4];			/* of queue q in phase p: 2 * q + p */
byte link[2] = 1;		/* the reference to the device: its number, or none */
bit layout;			/* of queue 0: of the first binding, or of the second */
bit producer[2], consumer[2];	/* a ring's locks */
byte joiner = NONE;		/* a queue that comes */
byte waiting[2];		/* in the ring */
bit queued[2], asleep[2];	/* the wait queue, and its only sleeper */
byte queue_refs[2] = 2;		/* file, slot */
bit queue_freed[2], queue_leaving[2];
byte file_refs[2] = 1;

/* The devices: the stack's, and one to which file 0 may be bound after it. */
bit slot[2] = 1;
byte heirs[2];			/* of a flow whose lane is member i */
byte nr_active = 2;
bit registered = 1, running = 1;
byte dev_refs[3];
bit dev_freed[3];
bit in_section;			/* the stack's RCU read-side section */

/* What the test knows. */
byte served = 2;
bit none_served;		/* there was a moment without a queue in the packet's time */
byte sent, received, dropped;
bit deleting, deleted;
bit noted;			/* the layout with which a reader began */

/* The operations. */
mtype = { Attach, Detach, Close, Delete, Bind };
chan call = [0] of { mtype, byte };
chan done = [0] of { byte };	/* the device whose end the caller has to do, or 0 */

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

inline leave_section()
{
	d_step {
		in_section = 0;
		queue_freed[0] = queue_freed[0] || queue_leaving[0];
		queue_freed[1] = queue_freed[1] || queue_leaving[1];
		queue_leaving[0] = 0;
		queue_leaving[1] = 0
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
		assert(link[q] && !dev_freed[link[q]]);
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
		:: link[q] == 1 && state[q] == ACTIVE && (new) != ACTIVE ->
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

inline lock_producer(q)
{
	atomic { !producer[q] -> producer[q] = 1 }
}

inline unlock_producer(q)
{
	producer[q] = 0
}

inline lock_both(q)
{
	atomic { !consumer[q] -> consumer[q] = 1 };
	lock_producer(q)
}

inline unlock_both(q)
{
	d_step { producer[q] = 0; consumer[q] = 0 }
}

/* Sets got, under the consumer lock. */
inline consume(q)
{
	atomic {
		!consumer[q];
		got = waiting[q] > 0;
		if
		:: got -> waiting[q]--; received++
		:: else
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

inline look_under_lock()
{
	atomic { open = state[q] == ACTIVE; joins = state[q] == DISABLED }
	atomic { joins = joins && joiner == q; open = open || joins }
	if
	:: open && (q != lane || joins) ->
		open = heirs[lane] == q;
		open = open && !(slot[lane] && state[lane] == ACTIVE)
	:: else
	fi;
	joins = 0
}

proctype stack()
{
	byte lane, n, q = NONE;
	bit open, joins;

	do
	:: n == PACKETS -> break
	:: n < PACKETS ->
		atomic {
			if
			:: lane = 0
			:: lane = 1
			fi;
			n++;
			if
			:: !running -> goto next
			:: else
			fi;
			in_section = 1;
			sent++;
			none_served = (served == 0)
		}
turn:
		/* recipient */
		q = (slot[lane] -> lane : NONE);
		if
		:: q != NONE && state[q] == ACTIVE
		:: else ->
			q = heirs[lane];
			q = (slot[q] -> q : NONE)
		fi;
		if
		:: q != NONE ->
			atomic { !producer[q] -> producer[q] = 1; assert(!queue_freed[q]) };
			look_under_lock();
			if
			:: open && waiting[q] < ROOM ->
				d_step { waiting[q]++; producer[q] = 0 };
#ifndef BUG_NO_WAKE
				wake(q);
#endif
				assert(!queue_freed[q] && !dev_freed[1]);
				goto next
			:: open && waiting[q] == ROOM ->
				d_step { producer[q] = 0; dropped++ };
				goto next
			:: !open -> producer[q] = 0
			fi
		:: else
		fi;
		if
		:: nr_active == 0 -> atomic { assert(none_served); dropped++ }
		:: else -> goto turn
		fi;
next:
		atomic { leave_section(); lane = 0; q = NONE; open = 0 }
	od
}

/* ---- Files ---- */

/* Drops a reference; who drops the last closes the file. */
inline fput(q)
{
	atomic {
		file_refs[q]--;
		gone = file_refs[q] == 0
	}
	if
	:: gone ->
		if
		:: BOUND(q) -> call!Close(q); done?gone; finish()
		:: else
		fi;
		put_queue(q)
	:: else
	fi;
	gone = 0
}

/* netdev_run_todo(), after RTNL: waits for the references, then frees. */
inline finish()
{
	if
	:: gone -> d_step {
		dev_refs[gone] == 0 ->
		dev_freed[gone] = 1;
		deleted = deleted || gone == 1
	   }
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

#ifdef READER
#ifdef BUG_NO_LAYOUT
#define SAME		true
#else
#define SAME		(layout == noted)
#endif

/* Whether there is a device, of the binding with which the read began. */
inline look_at_device()
{
	same = BOUND(0);
	same = same && SAME
}

proctype reader()
{
	byte gone;
	bit in, p, got, same;

	do
	:: atomic { BOUND(0) -> noted = layout }
retry:
		enter(0);
		if
		:: !in -> break			/* EBADFD */
		:: else
		fi;
		/* enter_as: of a second binding if the link is. */
#ifdef BUG_NO_LAYOUT
		same = 1;
#else
		same = ((link[0] == 2) == noted);
#endif
		if
		:: !same -> leave(0); break	/* EBADFD */
		:: else -> assert((link[0] == 2) == noted)
		fi;
		consume(0);
		if
		:: got ->
			got = 0;
#ifdef BUG_COPY_INSIDE
			touch_user_memory();
			leave(0);
#else
			leave(0);
			touch_user_memory();
#endif
			if
			:: true			/* reads on */
			:: break
			fi
		:: else ->
			leave(0);
			do
			:: true ->
#ifdef BUG_CHECK_BEFORE_PREPARE
				if
				:: atomic { !consumer[0] && waiting[0] > 0 -> break }
				:: atomic { !consumer[0] && waiting[0] == 0 }
				fi;
				look_at_device();
				if
				:: !same -> break
				:: else
				fi;
				atomic { queued[0] = 1; asleep[0] = 1 }
#else
				atomic { queued[0] = 1; asleep[0] = 1 }
				if
				:: !consumer[0] && waiting[0] > 0 -> break
				:: !consumer[0] && waiting[0] == 0
				fi;
				look_at_device();
				if
				:: !same -> break
				:: else
				fi;
#endif
end_asleep:
				!asleep[0]
			od;
			atomic { queued[0] = 0; asleep[0] = 0; same = 0 }
			goto retry
		fi
	:: !BOUND(0) -> break			/* EBADFD */
	od;
	same = 0;
	fput(0)
}
#endif

#ifdef POLLER
proctype poller()
{
	byte gone;
	bit in, p, got;

	do
	:: atomic { queued[0] = 1; asleep[0] = 1 }	/* poll_wait */
		do
		:: enter(0);
			if
			:: !in -> goto bad	/* EPOLLERR */
			:: else
			fi;
			atomic { !consumer[0] -> got = waiting[0] > 0 };
			leave(0);
			if
			:: got -> break
			:: else
			fi;
end_asleep:
			atomic { !asleep[0] -> asleep[0] = 1 }
		od;
		atomic { queued[0] = 0; asleep[0] = 0; got = 0 }
		enter(0);
		if
		:: !in -> break
		:: else
		fi;
		consume(0);			/* or EAGAIN */
		leave(0);
		got = 0;
		if
		:: true
		:: break
		fi
	od;
bad:
	atomic { queued[0] = 0; asleep[0] = 0; got = 0 }
	fput(0)
}
#endif

#ifdef WRITER
proctype writer()
{
	byte gone;
	bit in, p;

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
#endif

/* Works on either file, or on the device, and may close both in the end. */
proctype control()
{
	byte n, q, gone;
	bit has[2] = 1;

	do
	:: n == OPS -> break
	:: n < OPS && registered ->
		atomic { n++; deleting = 1 };
		call!Delete(0);
		done?gone;
		finish();
		gone = 0
	:: n < OPS ->
		atomic {
			n++;
			if
			:: q = 0
			:: q = 1
			fi
		}
		if
		:: state[q] == ACTIVE -> call!Detach(q)
		:: state[q] == DISABLED -> call!Attach(q)
		:: state[q] == DEAD && q == 0 -> call!Bind(q)
		:: state[q] == DEAD && q == 1 -> goto next
		fi;
		done?gone;
next:
		skip
	od;
	do
	:: has[0] -> has[0] = 0; fput(0)
	:: has[1] -> has[1] = 0; fput(1)
	:: break
	od
}

/* ---- Under RTNL ---- */

/* Packets go on to another queue, as far as it has room. Its producer lock is held. */
inline pass_on(from, to)
{
	d_step {
		waiting[from]--;
		if
		:: waiting[to] < ROOM -> waiting[to]++
#ifdef BUG_FULL_NOT_COUNTED
		:: else
#else
		:: else -> dropped++
#endif
		fi
	}
}

inline drop_waiting(q)
{
	d_step { dropped = dropped + waiting[q]; waiting[q] = 0 }
}

inline move_waiting(q)
{
	do
	:: waiting[q] > 0 ->
		lock_producer(other);
		pass_on(q, other);
		unlock_producer(other);
#ifndef BUG_NO_WAKE_HEIR
		wake(other)
#endif
	:: else -> break
	od
}

inline apply_without(q)
{
	if
	:: heirs[0] == q -> heirs[0] = other
	:: else
	fi;
	if
	:: heirs[1] == q -> heirs[1] = other
	:: else
	fi
}

inline deactivate(q)
{
	other = 1 - q;
	lock_both(q);
	if
	:: nr_active > 1 -> move_waiting(q); apply_without(q)
	:: else -> drop_waiting(q)
	fi;
#ifndef BUG_PUBLISH_OUTSIDE_LOCK
	publish(q, DISABLED);
#endif
	nr_active--;
#ifdef BUG_WAIT_UNDER_LOCK
	wait_old(q);
#endif
	unlock_both(q);
#ifdef BUG_PUBLISH_OUTSIDE_LOCK
	publish(q, DISABLED);
#endif
	/* Nobody is woken: who sleeps has nothing to see. */
	wait_old(q)
}

inline take_over(q)
{
	if
	:: state[other] == ACTIVE && slot[other] ->
		lock_both(other);
		lock_producer(q);
		do
		:: waiting[other] > 0 -> pass_on(other, q)	/* these are of its flows */
		:: break
		od;
		heirs[q] = q;
		unlock_producer(q);
		unlock_both(other)
	:: else
	fi
}

inline activate(q)
{
	other = 1 - q;
	joiner = q;
	take_over(q);
	lock_producer(q);
	publish(q, ACTIVE);
	heirs[q] = q;
	if
	:: nr_active == 0 -> heirs[other] = q
	:: else
	fi;
	joiner = NONE;
	atomic { nr_active++; served++ }
	unlock_producer(q);
#ifndef BUG_NO_WAKE_JOINING
	wake(q);
#endif
	wait_old(q)
}

inline reap(q)
{
#ifndef BUG_REAP_NO_WAIT
	users[2 * q] == 0;
	users[2 * q + 1] == 0;
#endif
	d_step { assert(link[q]); dev_refs[link[q]]--; link[q] = 0 }
}

inline clear_slot(q)
{
	slot[q] = 0;
	put_queue(q)
}

inline tell_dead(q)
{
	if
	:: slot[q] ->
#ifdef BUG_WAKE_BEFORE_DEAD
		wake(q);
#endif
		lock_both(q);
		publish(q, DEAD);
		unlock_both(q);
#if !defined(BUG_WAKE_BEFORE_DEAD) && !defined(BUG_NO_WAKE_DEAD)
		wake(q)
#endif
	:: else
	fi
}

inline let_go(q)
{
	if
	:: slot[q] ->
		slot[q] = 0;
		reap(q);
		lock_both(q);
#ifndef BUG_NO_DROP_WAITING
		drop_waiting(q);
#endif
		unlock_both(q);
		put_queue(q)
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
		let_go(0);
		let_go(1);
		mine = 1
	:: else
	fi
}

/* Of the other device, whose only queue this is. */
inline close_second(q)
{
	publish(q, DEAD);
	reap(q);
	put_queue(q);
	mine = 2
}

inline close(q)
{
	if
	:: state[q] == ACTIVE -> deactivate(q)
	:: else
	fi;
	publish(q, DEAD);
	reap(q);
	clear_slot(q);
	if
	:: !slot[0] && !slot[1] -> unregister()
	:: else
	fi
}

proctype rtnl()
{
	byte q, other, mine;
	bit old_p;

end:
	do
	:: call?Detach(q) ->
		if
		:: state[q] == ACTIVE && link[q] == 1 -> deactivate(q)
		:: else			/* EINVAL */
		fi;
		done!0
	:: call?Attach(q) ->
		if
		:: state[q] == DISABLED && link[q] == 1 -> activate(q)
		:: else
		fi;
		done!0
	:: call?Close(q) ->
		if
		:: !BOUND(q)
		:: BOUND(q) && link[q] == 1 -> close(q)
		:: BOUND(q) && link[q] == 2 -> close_second(q)
		fi;
		done!mine;
		mine = 0
	:: call?Delete(q) ->
		unregister();
		done!mine;
		mine = 0
	:: call?Bind(q) ->
		if
		:: !BOUND(q) ->
			layout = 1;
			d_step { link[q] = 2; dev_refs[2]++; queue_refs[q]++ }
			publish(q, DISABLED);
			publish(q, ACTIVE);
			wake(q);
			wait_old(q)
		:: else
		fi;
		done!0
	od
}

/* ---- The end ---- */

/* Runs when nothing else can. */
proctype judge()
{
end:
	timeout;
	assert(!deleting || deleted);
	assert(!deleted || (link[0] != 1 && link[1] != 1 && dev_refs[1] == 0));
	assert(registered || deleted);
	assert(!producer[0] && !consumer[0] && !producer[1] && !consumer[1]);
	assert(users[0] + users[1] + users[2] + users[3] == 0);
	/* A sleeper has no packet, and a device. */
	assert(!queued[0] || (waiting[0] == 0 && BOUND(0)));
#ifdef READER
	assert(!queued[0] || layout == noted);
#endif
	assert(state[0] == ACTIVE || waiting[0] == 0);
	assert(state[1] == ACTIVE || waiting[1] == 0);
	assert(sent == received + dropped + waiting[0] + waiting[1])
}

init {
	atomic {
		heirs[1] = 1;
		dev_refs[1] = 2;
		run rtnl();
		run stack();
		run control();
#ifdef READER
		file_refs[0]++;
		run reader();
#endif
#ifdef POLLER
		file_refs[0]++;
		run poller();
#endif
#ifdef WRITER
		file_refs[0]++;
		run writer();
#endif
		run judge()
	}
}
