/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ways to a queue: its file, a socket opened by RTUN_SOCKET, and vhost-net, which
 * keeps the file, takes packets out of the ring by itself and may give them back.
 *
 *	owner()		ioctl(RTUN_SOCKET), detach, close() of the file:
 *			rust/net/sock_file.rs: open; rust/driver/descriptor.rs
 *	user()		reads by the socket, and closes it: release, closed
 *	vhost()		vhost_net: the file of fget(), the ring of tun_get_tx_ring(),
 *			recvmsg, fput(); rust/net/if_tun/export.rs, rust/net/socket.rs
 *	stack()		rust/driver/tx.rs: put
 *	deleter()	`ip link delete`: device_gone
 *
 * The gate is that of gate.pml: users counts who is inside, and who changes the state
 * waits for them. The device has another queue, to which a detach moves what waits.
 *
 * Checked: the queue ends with the last way to it, once, and never while there is
 * another; nobody uses what is freed; each packet is received, moved, or counted as
 * dropped, but for those that vhost gives back when the device is gone.
 */

#ifndef PACKETS
#define PACKETS		3
#endif

#define DEAD		1
#define DISABLED	2
#define ACTIVE		3

byte state = ACTIVE, users;
bit rtnl, consumer, producer;
byte ring;
byte file_refs = 1, handles = 1;
byte queue_refs = 2;		/* file, slot */
bit sock_open, sock_closed;
bit queue_freed, dev_freed;

/* What the test knows. */
byte sent, received, moved, dropped, lost;
bit ended, deleted;

inline lock_both()
{
	atomic { !consumer -> consumer = 1 };
	atomic { !producer -> producer = 1 }
}

inline unlock_both()
{
	producer = 0;
	consumer = 0
}

inline put_queue()
{
	d_step {
		assert(queue_refs > 0);
		queue_refs--;
		if
		:: queue_refs == 0 ->
			/* With the ring go what vhost gave back to a queue that is dead. */
			lost = lost + ring;
			ring = 0;
			queue_freed = 1
		:: else
		fi
	}
}

inline enter()
{
	atomic {
		assert(!queue_freed);
		in = state != DEAD;
		users = users + in
	}
}

inline leave()
{
	d_step {
		assert(!dev_freed);
		users--;
		in = 0
	}
}

inline drop_waiting()
{
	lock_both();
	dropped = dropped + ring;
	ring = 0;
	unlock_both()
}

inline deactivate()
{
	lock_both();
	moved = moved + ring;
	ring = 0;
	state = DISABLED;
	unlock_both();
	users == 0
}

/* lifecycle::close */
inline end_queue()
{
	d_step { assert(!ended && !queue_freed); ended = 1 };
	atomic { !rtnl -> rtnl = 1 };
	if
	:: state != DEAD ->
		if
		:: state == ACTIVE -> deactivate()
		:: else
		fi;
#ifndef BUG_GIVEN_BACK_STAYS
		drop_waiting();
#endif
		state = DEAD;
		users == 0;
		put_queue()
	:: else
	fi;
	rtnl = 0
}

/* A way less. */
inline closed()
{
	d_step {
		assert(handles > 0);
#ifdef BUG_END_WITH_FIRST
		last = 1;
#else
		last = handles == 1;
#endif
		handles--
	};
	if
	:: last -> end_queue()
	:: else
	fi;
	put_queue();
	last = 0
}

inline fput()
{
	d_step {
		assert(file_refs > 0);
		file_refs--;
		last = file_refs == 0
	};
	if
	:: last -> closed()
	:: else
	fi;
	last = 0
}

proctype owner()
{
	bit last;

	if
	:: true ->
		/* The descriptor can be closed as soon as it is there. */
#ifdef BUG_COUNT_LATE
		d_step { queue_refs++; sock_open = 1 };
		handles++
#elif defined(BUG_NO_REFERENCE)
		d_step { handles++; queue_refs++ };
		put_queue();
		sock_open = 1
#else
		d_step { handles++; queue_refs++ };
		sock_open = 1
#endif
	:: true
	fi;
	if
	:: true ->
		atomic { !rtnl -> rtnl = 1 };
		if
		:: state == ACTIVE -> deactivate()
		:: else
		fi;
		rtnl = 0
	:: true
	fi;
	fput()
}

proctype user()
{
	byte calls;
	bit in, last;

end:
	sock_open;
	do
	:: calls < 2 ->
		calls++;
		enter();
		if
		:: in ->
			atomic { !consumer -> consumer = 1 };
			d_step {
				received = received + (ring > 0);
				ring = ring - (ring > 0)
			};
			consumer = 0;
			leave()
		:: !in
		fi
	:: true -> break
	od;
	sock_closed = 1;
	closed()
}

/* Takes what waits, lays some of it out, and gives the rest back. */
proctype vhost()
{
	byte has;
	bit in, last;

	atomic {
		if
		:: file_refs == 0 -> goto out
		:: else
		fi;
#ifndef BUG_NO_FILE
		file_refs++
#endif
	};
	assert(!queue_freed);
#ifdef BUG_TAKE_UNLOCKED
	has = ring;
	ring = ring - has;
#else
	atomic { !consumer -> consumer = 1 };
	has = ring;
	ring = ring - has;
	consumer = 0;
#endif
	do
	:: has > 0 ->
		enter();
		has--;
		if
		:: in -> received++; leave()
		:: !in -> lost++		/* EBADFD: it is freed */
		fi
	:: true -> break
	od;
	/* The backend is cleared. */
	lock_both();
	assert(!queue_freed);
	ring = ring + has;
	has = 0;
	unlock_both();
#ifndef BUG_NO_FILE
	fput();
#endif
out:
	skip
}

proctype stack()
{
end:
	do
	:: sent < PACKETS && state == ACTIVE ->
		atomic { !producer -> producer = 1 };
		d_step {
			if
			:: state == ACTIVE -> assert(!queue_freed); ring++; sent++
			:: else
			fi
		};
		producer = 0
	:: sent == PACKETS || state != ACTIVE -> break
	od
}

proctype deleter()
{
	if
	:: true ->
		atomic { !rtnl -> rtnl = 1 };
		deleted = 1;
		if
		:: state != DEAD ->
			lock_both();
			state = DEAD;
			unlock_both();
#ifndef BUG_REAP_AT_ONCE
			users == 0;
#endif
			drop_waiting();
			put_queue()
		:: else
		fi;
		dev_freed = 1;
		rtnl = 0
	:: true
	fi
}

/* Runs when nothing else can. */
proctype judge()
{
end:
	timeout;
	assert(handles == 0 && file_refs == 0);
	assert(ended && queue_freed && queue_refs == 0);
	assert(!sock_open || sock_closed);
	assert(deleted || lost == 0);
	assert(sent == received + moved + dropped + lost)
}

init {
	atomic {
		run judge();
		run owner();
		run user();
		run vhost();
		run stack();
		run deleter()
	}
}
