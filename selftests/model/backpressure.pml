/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A full queue that holds its lane back: the qdisc is stopped and woken. It is full
 * when LIMIT packets wait, or fewer or more: that changes each time that there is room.
 * If the ring is not, a packet that has others behind it need not stop the lane.
 *
 *	stack()		rust/driver/tx.rs: put; rust/driver/backpressure.rs: after_put,
 *			hold_if_full, watch, in an RCU read-side section
 *	reader()	rust/driver/tx.rs: receive; after_take, has_room, let_go
 *	timer()		end_stalls, time_left, as the device's timer calls them
 *	switcher()	ethtool's private flag: update
 *	leaver()	rust/driver/lifecycle.rs: deactivate
 *
 * TIMED: the reader may quit at any moment, and time passes, so that the timer ends
 * what is held then. Without it the reader goes on for as long as there is something to
 * read, and nothing but it wakes anybody: else whoever quits would be to blame for each
 * wake-up that is lost. SWITCH and LEAVE have their own process; at most one of all.
 *
 * LAZY: so many places of packets that were read may still look taken, until there is
 * room. With LIMITS the limit may become anything that is more, whenever it is set anew,
 * and by that much more than usual: the lane is let go when half of the usual is left.
 *
 * Checked: nothing waits in the qdisc at the end, whoever is there to read; what is sent
 * is received, waits in the ring, or was counted as dropped; and none is dropped unless
 * there is one of those.
 */

/* Where a mistake is to be seen. */
#if defined(BUG_NO_TIMER) || defined(BUG_LOOK_BEFORE_END) || defined(BUG_STALL_NO_WAKE)
#undef TIMED
#define TIMED
#endif
#ifdef BUG_NO_GRACE
#undef SWITCH
#define SWITCH
#endif
#ifdef BUG_LEAVE_NO_WAKE
#undef LEAVE
#define LEAVE
#endif

/* Where a packet may find the ring full. */
#if defined(TIMED) || defined(SWITCH) || defined(LEAVE)
#define DROPS
#endif

#ifndef PACKETS
#define PACKETS		4
#endif
#ifndef ROOM
#define ROOM		2	/* of the ring */
#endif
#ifndef LAZY
#define LAZY		0	/* places of packets that were read which look taken */
#endif
#ifndef LIMIT
#define LIMIT		ROOM
#endif
#ifndef BUG_LOW_LIMIT
#define LEAST		(LAZY + 1)
#else
#define LEAST		LAZY
#endif

#define FREE		0
#define HOLDING		1
#define STALLED		2

#define OFF		0
#define WATCHED		1
#define ON		2

byte qdisc = PACKETS, ring, heir;
byte mode = ON, held = FREE;
byte limit = LIMIT, usual = LIMIT; /* what may wait, and what of that is usual */
byte lazy;			/* places that look taken */
bit stopped;			/* the transmit queue */
bit in_use = 1, producer;
bit armed, fresh;		/* the timer; a packet was read within its time */
bit in_section;
bit quit, over;			/* the reader; all was sent */

/* What the test knows. */
byte received, dropped;

inline lock()	{ atomic { !producer -> producer = 1 } }
inline unlock()	{ producer = 0 }

inline wake()
{
#ifndef BUG_NO_WAKE
	stopped = 0
#else
	skip
#endif
}

/* As the producer sees it. */
#define IS_FULL	(ring + lazy >= limit)

inline let_go()
{
	atomic { old = held; held = FREE };
	if
	:: old != FREE -> wake()
	:: else
	fi;
	old = 0
}

/* ---- The stack ---- */

/* Sets the timer if nobody was held back before. */
inline say()
{
	atomic { old = held; held = HOLDING };
	if
#ifndef BUG_NO_TIMER
	:: old != HOLDING -> armed = 1
#endif
	:: else
	fi;
	old = 0
}

inline hold_if_full()
{
	if
	:: IS_FULL ->
		state = held;
		if
#ifdef TIMED
		:: state == STALLED
#endif
		:: state != STALLED ->
			if
			:: state == FREE -> fresh = 1
			:: else
			fi;
#ifdef BUG_STOP_UNSEEN
			say();
			stopped = 1
#else
			stopped = 1;
			say();
#ifndef BUG_NO_SECOND_LOOK
			if
			:: !IS_FULL -> stopped = 0
			:: else
			fi
#endif
#endif
		fi;
		state = 0
	:: else
	fi
}

inline put()
{
	lock();
#ifndef DROPS
	assert(ring + lazy < ROOM);
#endif
	if
	:: in_use && ring + lazy < ROOM ->
		ring++;
		if
		:: mode == ON -> hold_if_full()
#ifdef LIMITS
#ifdef BUG_MORE_FULL
		:: mode == ON && qdisc > 0
#else
		:: mode == ON && qdisc > 0 && ring + lazy < ROOM
#endif
#endif
#ifdef SWITCH
		:: mode != ON
#endif
		fi
#ifdef DROPS
	:: in_use && ring + lazy == ROOM ->
		dropped++;
		if
		:: mode == ON -> hold_if_full()
#ifdef SWITCH
		:: mode != ON
#endif
		fi
#endif
#ifdef LEAVE
	:: !in_use -> heir++
#endif
	fi;
	unlock()
}

/* A qdisc that is woken is run again. */
proctype stack()
{
	byte old, state;

end:
	do
	:: atomic { qdisc > 0 && !stopped -> in_section = 1; qdisc-- } ->
		put();
		in_section = 0
	:: qdisc == 0 -> break
	od;
	over = 1
}

/* ---- The reader ---- */

/* Whether few enough are left: then all places that look taken are cleared. */
inline is_down()
{
	atomic {
		room = ring <= usual / 2;
		if
		:: room -> lazy = 0
		:: else
		fi
	}
}

/* Whether there is room again. Says anew how many may wait. */
inline has_room()
{
	is_down();
	if
	:: room ->
#ifdef LIMITS
		atomic {
			old = limit;
			if
			:: limit = LEAST; usual = LEAST
			:: limit = ROOM; usual = LEAST
			:: limit = ROOM; usual = ROOM
			:: limit > LEAST -> limit--; usual = limit
			fi;
			room = limit >= old;
			old = 0
		};
#ifndef BUG_LESS_NO_LOOK
		is_down()
#endif
#endif
	:: else
	fi
}

inline after_take()
{
	if
	:: mode != OFF ->
#ifndef BUG_LOOK_BEFORE_TAKE
		state = held;
#endif
		if
		:: state == FREE
		:: state == HOLDING ->
			fresh = 1;
			has_room();
			if
			:: room ->
#ifdef BUG_WAKE_UNLOCKED
				let_go()
#else
				lock();
				if
#ifndef BUG_WAKE_FULL
				:: IS_FULL
				:: !IS_FULL -> let_go()
#else
				:: true -> let_go()
#endif
				fi;
				unlock()
#endif
			:: else
			fi
#ifdef TIMED
		:: state == STALLED ->
			atomic {
				if
				:: held == STALLED -> held = FREE
				:: else
				fi
			}
#endif
		fi
#ifdef SWITCH
	:: mode == OFF
#endif
	fi
}

proctype reader()
{
	byte old, state;
	bit got, room;

end:
	do
	:: ring > 0 ->
#ifdef BUG_LOOK_BEFORE_TAKE
		state = held;
#endif
		atomic {
			got = ring > 0;
			ring = ring - got;
			received = received + got;
			if
#if LAZY > 0
			:: got && lazy < LAZY -> lazy++
#endif
			:: got -> lazy = 0
			:: else
			fi
		};
		if
		:: got -> after_take()
#ifdef LEAVE
		:: !got
#endif
		fi;
		atomic { state = 0; got = 0; room = 0 }
#ifdef TIMED
	:: true -> quit = 1; break
#endif
	:: over && ring == 0 -> break
	od
}

#ifdef TIMED
/* Time passes whenever it likes. */
proctype clock()
{
end:
	do
	:: fresh && !over -> fresh = 0
	:: over -> break
	od
}

proctype timer()
{
	byte state, old;

end:
	do
	:: armed ->
#ifdef BUG_LOOK_BEFORE_END
		state = held;
		armed = 0;
#else
		armed = 0;
		state = held;
#endif
		if
		:: state != HOLDING
		:: state == HOLDING && fresh -> armed = 1
		:: state == HOLDING && !fresh ->
			atomic {
				old = held == HOLDING;
				if
				:: old -> held = STALLED
				:: else
				fi
			};
			if
#ifndef BUG_STALL_NO_WAKE
			:: old -> wake()
#endif
			:: else
			fi
		fi;
		atomic { state = 0; old = 0 }
	:: over -> break
	od
}
#endif

#ifdef SWITCH
/* Off, and on again. */
proctype switcher()
{
	byte old;

	mode = WATCHED;
#ifndef BUG_NO_GRACE
	!in_section;
#endif
	let_go();
	mode = OFF;
	mode = WATCHED;
	!in_section;
	mode = ON
}
#endif

#ifdef LEAVE
/* The queue is detached: what waits, and what comes, is an heir's. */
proctype leaver()
{
	byte old;

	lock();
	d_step { heir = heir + ring; ring = 0; lazy = 0 };
	in_use = 0;
	unlock();
#ifndef BUG_LEAVE_NO_WAKE
	let_go()
#endif
}
#endif

/* Runs when nothing else can. */
proctype judge()
{
end:
	timeout;
	assert(qdisc == 0);
	assert(PACKETS == received + dropped + ring + heir);
#ifndef TIMED
	assert(ring == 0)
#endif
}

init {
	atomic {
		run judge();
		run stack();
		run reader();
#ifdef TIMED
		run clock();
		run timer();
#endif
#ifdef SWITCH
		run switcher();
#endif
#ifdef LEAVE
		run leaver();
#endif
	}
}
