/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packets of one flow, and queues that come and go.
 *
 *	stack()		rust/driver/tx.rs: start_xmit, with select_queue, recipient, is_recipient
 *			and lane of rust/driver/device.rs
 *	readers()	whoever reads any queue, at any time
 *	rtnl()		rust/driver/lifecycle.rs: deactivate, activate with take_over, close,
 *			bind, device_gone, one after the other
 *	grace()		the grace period of rust/net/rcu.rs: Settling
 *
 * One flow is enough: flows share nothing but locks, and what another one's packets
 * do to a lock is to delay. So one bucket is enough: lanes and heirs are its cells
 * in the two tables, and the flow may have been learned to be another queue's than
 * the bucket's. Which heir, or which share, a plan chooses is left open, but that
 * who leaves gives only and who joins takes only. A ring has room for all packets.
 *
 * With SOFTIRQS, a reader is interrupted once while it has the consumer lock of a ring, by
 * one who sends a packet of another flow: it goes on when that is in its ring.
 *
 * A step is what one lock or one access makes one. Locks and the gate's word have
 * full barriers; each other access that the order depends on is under a lock that
 * its writer takes too.
 *
 * A flow's packets reach start_xmit in order: its lane's qdisc sees to that. Without
 * MOVES, lanes of the flow stay as they are, so that a packet may wait in its
 * lane as long as it likes. With MOVES, a queue that joins without lanes may take the
 * flow's. Then order is promised to a packet that goes from select_queue to
 * start_xmit in one RCU read-side section: to one that bypasses its qdisc, or has
 * none. One that lay in the old lane for longer, or behind others, may come after
 * newer ones of the new lane; it is not lost. Nor is order promised beyond an empty
 * ring when what a writer teaches the flow table moves a flow: that is not here.
 *
 * Checked: the flow is read in order, whoever reads what; no packet is lost while a
 * queue is active; none is in the ring of a queue that is not; no packet goes round
 * again while nothing changes, and so never waits but for a lock.
 */

#ifndef QUEUES
#define QUEUES		3
#endif
#ifndef PACKETS
#define PACKETS		2
#endif
#ifndef OPS
#define OPS		2
#endif
#define NONE		7

/* The members, and their queues: another file's after a close and a bind. */
bit is_bound[QUEUES];
bit is_active[QUEUES];
bit file[QUEUES];
byte nr_active;

/* A ring's locks: the producer's only, or both. */
#define FREE		0
#define PRODUCER	1
#define BOTH		2
byte locked[QUEUES];
byte ring[QUEUES * PACKETS];
byte waiting[QUEUES];

/* The steering, as far as it is of this flow. */
byte lanes, heirs;
byte learned = NONE;

/* Who comes, and below which member it has taken over. */
byte joiner = NONE, taken;
bit has_lanes[QUEUES];
#define LANE		(learned != NONE -> learned : lanes)

/* Settling: unsettled while changing, and until the old section has ended. */
bit settled = 1, changing, in_section, old_section;

/* What the test knows. */
byte served;			/* queues that are active, all told */
bit none_served;		/* there was a moment without one in the packet's time */
bit changed;			/* since the packet looked for its queue */
bit gone;			/* the device: its end promises no order */
byte sent, received, dropped, last_read;

/* ---- Rings ---- */

/* A reader was interrupted with the consumer lock of a ring. */
bit reading[QUEUES];

inline lock_both(q)
{
	atomic { locked[q] == FREE && !reading[q] -> locked[q] = BOTH }
}

inline lock_producer(q)
{
	atomic { locked[q] == FREE -> locked[q] = PRODUCER }
}

inline unlock_producer(q)
{
	locked[q] = FREE
}

inline unlock_both(q)
{
	locked[q] = FREE
}

inline push(q, packet)
{
	ring[PACKETS * (q) + waiting[q]] = packet;
	waiting[q]++
}

inline pop(q, packet)
{
	packet = ring[PACKETS * (q)];
	waiting[q]--;
	i = 0;
	do
	:: i < PACKETS - 1 -> ring[PACKETS * (q) + i] = ring[PACKETS * (q) + i + 1]; i++
	:: else -> break
	od;
	ring[PACKETS * (q) + i] = 0;
	i = 0
}

/* The producers' lock of a queue keeps its packets off the others' sight. */
inline move_one(from, to)
{
	pop(from, packet);
	push(to, packet);
	packet = 0
}

/* ---- The stack ---- */

/* Whether the queue that was found as member q, in slot's file f, is active. */
#define STILL(q, f)	(is_bound[q] && file[q] == (f))
#define ACTIVE(q, f)	(STILL(q, f) && is_active[q])

/* The heir of a packet, or the queue of its lane if that has taken over from the heir. */
#define OR_JOINER(heir)	(joiner == lane && (heir) < taken -> joiner : (heir))

/* Sets q and f: the queue of the lane, or while it is away the heir's. */
inline recipient()
{
	atomic {
		q = lane;
		f = file[q];
		found = is_bound[q]
	}
	if
	:: found && ACTIVE(q, f)
	:: else ->
		atomic { q = heirs; f = 0; found = 0 }
		atomic { q = OR_JOINER(q); f = file[q]; found = is_bound[q] }
	fi
}

inline recheck_away()
{
	atomic { other = file[lane]; away = !is_bound[lane] }
	atomic { away = away || !ACTIVE(lane, other); open = open && away; other = 0; away = 0 }
}

/* Sets open. The producer lock of q is held. */
inline is_recipient()
{
#ifdef BUG_NO_RECHECK
	open = 1;
#else
	atomic { open = is_active[q]; joins = !open && STILL(q, f) }
	atomic { joins = joins && joiner == q; open = open || joins }
#endif
#ifndef BUG_NO_RECHECK
	if
	:: open && (q != lane || joins) ->
#ifdef BUG_RECHECK_AWAY_FIRST
		recheck_away();
#endif
#ifndef BUG_NO_RECHECK_HEIR
		other = heirs;
		atomic { open = open && OR_JOINER(other) == q; other = 0 };
#endif
#if !defined(BUG_NO_RECHECK_AWAY) && !defined(BUG_RECHECK_AWAY_FIRST)
		recheck_away()
#endif
	:: else
	fi;
#ifndef BUG_NO_SETTLING
	if
	:: open && !settled -> open = (LANE == lane)
	:: else
	fi
#endif
#endif
}

/* Sets lane anew: what it was, unless lanes change. */
inline look_again()
{
	atomic {
		other = (settled -> lane : LANE);
		assert(changed || other != lane);
		lane = other;
		other = 0
	}
}

proctype stack()
{
	byte lane, q, other;
	bit f, found, open, joins, away;

	do
	:: sent == PACKETS -> break
	:: atomic {
		sent < PACKETS ->
		sent++;
#ifndef QDISC
		in_section = 1;
#endif
		none_served = served == 0;
		lane = LANE;			/* select_queue */
		changed = 0
	   }
#ifdef QDISC
		atomic { in_section = 1; changed = 0 }
#endif
turn:
		recipient();
		if
		:: !found
		:: found && STILL(q, f) ->
			atomic {
				locked[q] == FREE || !STILL(q, f) ->
				if
				:: STILL(q, f) -> locked[q] = PRODUCER
				:: else -> goto closed		/* nobody else has it now */
				fi
			}
			is_recipient();
			if
			:: open -> d_step {
				assert(is_active[q] || joiner == q);
				push(q, sent);
				locked[q] = FREE
			   }
			   goto next
			:: else -> locked[q] = FREE
			fi
		:: found && !STILL(q, f)
		fi;
closed:
		if
		:: nr_active == 0 -> atomic { assert(none_served); dropped++ }
		   goto next
		:: else
		fi;
		atomic { look_again(); changed = 0; q = 0; f = 0; found = 0; open = 0; joins = 0 }
		goto turn;
next:
		atomic {
			in_section = 0;
			old_section = 0;
			lane = 0; q = 0; f = 0; found = 0; open = 0; joins = 0
		}
	od
}

#if defined(MOVES) && defined(QDISC)
#define NO_ORDER	true
#else
#define NO_ORDER	gone
#endif

inline read(q)
{
	atomic {
		waiting[q] > 0 && locked[q] != BOTH && !reading[q] ->
		pop(q, packet);
		assert(packet > last_read || NO_ORDER);
		last_read = packet;
		packet = 0;
		received++
	}
}

/* To one that gets packets. */
inline interrupt(q, to)
{
	atomic {
		is_bound[q] && locked[q] != BOTH && (is_active[to] || joiner == to) ->
		reading[q] = 1
	}
	atomic { locked[to] == FREE -> reading[q] = 0 }
}

proctype softirq()
{
end:
	if
	:: interrupt(0, 1)
	:: interrupt(1, 0)
	fi
}

proctype readers()
{
	byte packet, i;

end:
	do
	:: read(0)
	:: read(1)
#if QUEUES > 2
	:: read(2)
#endif
	od
}

proctype grace()
{
end:
	do
	:: atomic { !settled && !changing && !old_section -> settled = 1; changed = 1 }
	od
}

/* ---- Under RTNL ---- */

/* Any active queue but q, as the heir of the flow's bucket. */
inline choose_heir(q)
{
	if
	:: is_active[0] && q != 0 -> heir = 0
	:: is_active[1] && q != 1 -> heir = 1
#if QUEUES > 2
	:: is_active[2] && q != 2 -> heir = 2
#endif
	fi
}

inline publish_disabled(q)
{
	atomic {
		is_active[q] = 0;
		served--;
		none_served = none_served || served == 0;
		changed = 1
	}
}

inline count(n)
{
	atomic { nr_active = n; changed = 1 }
}

inline apply_heirs(to)
{
	atomic { heirs = to; changed = 1 }
}

/* move_waiting: to whom the plan says. Its lock is taken and released for each. */
inline move_waiting(q)
{
	do
	:: waiting[q] > 0 ->
#ifdef BUG_MOVE_WITH_BOTH_LOCKS
		atomic { locked[to] == FREE && !reading[to] -> move_one(q, to) }
#else
		atomic { locked[to] == FREE -> move_one(q, to) }
#endif
	:: else -> break
	od
}

inline drop_waiting(q)
{
	d_step {
		do
		:: waiting[q] > 0 -> pop(q, packet); packet = 0; dropped++
		:: else -> break
		od
	}
}

inline deactivate(q)
{
	/* plan_without, and who gets the flow by it. */
	if
	:: nr_active == 1 -> heir = NONE
	:: nr_active > 1 && heirs != q -> heir = heirs
	:: nr_active > 1 && heirs == q -> choose_heir(q)
	fi;
	atomic {
		to = LANE;
		if
		:: heir == NONE -> to = NONE
		:: heir != NONE && to != q && is_active[to]
		:: else -> to = heir
		fi
	}
#ifdef BUG_PUBLISH_OUTSIDE_LOCK
	publish_disabled(q);
#endif
	lock_both(q);
#ifdef BUG_PUBLISH_BEFORE_MOVE
	publish_disabled(q);
	count(nr_active - 1);
#endif
	if
	:: heir != NONE ->
#ifdef BUG_APPLY_BEFORE_MOVE
		apply_heirs(heir);
#endif
		move_waiting(q);
#if !defined(BUG_APPLY_BEFORE_MOVE) && !defined(BUG_APPLY_OUTSIDE_LOCK)
		apply_heirs(heir)
#endif
	:: else -> drop_waiting(q)
	fi;
#if !defined(BUG_PUBLISH_BEFORE_MOVE) && !defined(BUG_PUBLISH_OUTSIDE_LOCK)
	publish_disabled(q);
#endif
#ifndef BUG_PUBLISH_BEFORE_MOVE
	count(nr_active - 1);
#endif
	assert(waiting[q] == 0);
	unlock_both(q);
#ifdef BUG_APPLY_OUTSIDE_LOCK
	if
	:: heir != NONE -> apply_heirs(heir)
	:: else
	fi;
#endif
	atomic { heir = 0; to = 0 }
}

/* plan_with: sets lane, heir, moves, and mine: whether the flow is q's then. */
inline plan_with(q)
{
	atomic {
		lane = lanes;
		moves = !has_lanes[q];
		has_lanes[q] = 1;
		if
		:: true
#ifdef MOVES
		:: moves -> lane = q
#endif
		fi
	}
	atomic {
		if
		:: lane == q || nr_active == 0 -> heir = q
		:: lane != q && nr_active > 0 && is_active[lane] -> heir = lane
		:: lane != q && nr_active > 0 && !is_active[lane] -> heir = heirs
		:: lane != q && nr_active > 0 && !is_active[lane] -> heir = q
		fi;
		to = (learned != NONE -> learned : lane);
		mine = (to == q || (!is_active[to] && heir == q));
		to = 0
	}
}

/* Under the locks of both, but for what is wrong. */
inline share_waiting(donor, q)
{
	d_step {
		do
		:: mine && waiting[donor] > 0 -> move_one(donor, q)
		:: else -> break
		od
	}
}

inline apply(donor)
{
	if
	:: heirs == donor && heir != heirs -> apply_heirs(heir)
	:: else
	fi;
	if
	:: lanes == donor && lane != lanes -> atomic { lanes = lane; changed = 1 }
	:: else
	fi
}

inline took_from(donor)
{
	atomic { taken = (donor) + 1; changed = 1 }
}

inline take_over_from(donor, q)
{
	if
	:: is_active[donor] && donor != q ->
#ifdef BUG_SHARE_OUTSIDE_LOCK
		atomic { locked[donor] == FREE -> share_waiting(donor, q) }
		lock_both(donor);
#else
#ifdef BUG_JOINER_LOCKED_FIRST
		lock_producer(q);
		lock_both(donor);
#else
		lock_both(donor);
		lock_producer(q);
#endif
#ifdef BUG_TAKEN_BEFORE_MOVE
		took_from(donor);
		unlock_producer(q);
		lock_producer(q);
#endif
#ifndef BUG_NO_SHARE
		share_waiting(donor, q);
#endif
#endif
#ifdef BUG_DONOR_APPLY_OUTSIDE_LOCK
		unlock_producer(q);
		unlock_both(donor);
		apply(donor);
		took_from(donor)
#else
		apply(donor);
		took_from(donor);
		unlock_producer(q);
		unlock_both(donor)
#endif
	:: else
	fi
}

inline count_one_more()
{
	atomic { nr_active++; served++; changed = 1 }
}

inline activate(q)
{
	plan_with(q);
	if
	:: moves -> d_step { settled = 0; changing = 1; changed = 1 }
	:: else
	fi;
#ifdef BUG_COUNT_FIRST
	count_one_more();
#endif
#ifdef BUG_ACTIVE_BEFORE_MOVE
	atomic { is_active[q] = 1; changed = 1 }
#endif
	atomic { joiner = q; taken = 0; changed = 1 }
	take_over_from(0, q);
	take_over_from(1, q);
#if QUEUES > 2
	take_over_from(2, q);
#endif
	lock_producer(q);
	atomic { is_active[q] = 1; changed = 1 }
	apply_heirs(heir);
	atomic { lanes = lane; changed = 1 }
	atomic { joiner = NONE; taken = 0; changed = 1 }
#ifndef BUG_COUNT_FIRST
	count_one_more();
#endif
	unlock_producer(q);
	if
	:: moves -> d_step { changing = 0; old_section = in_section; changed = 1 }
	:: else
	fi;
	atomic { heir = 0; lane = 0; moves = 0; mine = 0 }
}

/* A detach, or the file's end. */
inline may_close(q)
{
	if
	:: true
	:: atomic { is_bound[q] = 0; changed = 1 }
	fi
}

/* An attach, or a TUNSETIFF of another file. */
inline bind_if_unbound(q)
{
	if
	:: is_bound[q]
	:: atomic { !is_bound[q] -> file[q] = !file[q]; is_bound[q] = 1; changed = 1 }
	fi
}

inline tell_dead(q)
{
	if
	:: is_bound[q] ->
		lock_both(q);
		atomic { is_active[q] = 0; changed = 1 }
		unlock_both(q)
	:: else
	fi
}

inline let_go(q)
{
	if
	:: is_bound[q] ->
		atomic { is_bound[q] = 0; changed = 1 }
		lock_both(q);
		drop_waiting(q);
		unlock_both(q)
	:: else
	fi
}

/* Does not rely on the stack having stopped to send, as it has by then. */
inline device_gone()
{
	atomic { gone = 1; served = 0; none_served = 1 }
#ifndef BUG_GONE_COUNTS_LAST
	count(0);
#endif
	tell_dead(0);
	tell_dead(1);
#if QUEUES > 2
	tell_dead(2);
#endif
	let_go(0);
	let_go(1);
#if QUEUES > 2
	let_go(2);
#endif
#ifdef BUG_GONE_COUNTS_LAST
	count(0);
#endif
	skip
}

proctype rtnl()
{
	byte ops, m, lane, heir, to, packet, i;
	bit moves, mine;

	do
	:: ops == OPS -> break
	:: ops < OPS ->
		atomic {
			ops++;
			if
			:: m = 0
			:: m = 1
#if QUEUES > 2
			:: m = 2
#endif
			fi
		}
		if
		:: is_active[m] -> deactivate(m); may_close(m)
		:: is_bound[m] && !is_active[m] -> atomic { is_bound[m] = 0; changed = 1 }
		:: !is_active[m] -> bind_if_unbound(m); activate(m)
		fi
	:: ops < OPS -> device_gone(); break
	od
}

/* ---- The beginning and the end ---- */

/* Runs when nothing else can: the readers have read all there is. */
proctype judge()
{
	byte q;

end:
	timeout;
	do
	:: q < QUEUES -> assert(waiting[q] == 0 && locked[q] == FREE); q++
	:: else -> break
	od;
	assert(sent == PACKETS && sent == received + dropped)
}

/* Queue q is active, disabled, or was not there since the interface went up. */
inline begin(q)
{
	if
	:: is_bound[q] = 1; is_active[q] = 1; has_lanes[q] = 1; nr_active++; served++
	:: is_bound[q] = 1; has_lanes[q] = 1
#ifdef GROWS
	:: true
#endif
	fi
}

inline any_with_lanes(m)
{
	if
	:: has_lanes[0] -> m = 0
	:: has_lanes[1] -> m = 1
#if QUEUES > 2
	:: has_lanes[2] -> m = 2
#endif
	fi
}

init {
	byte heir;

	atomic {
		begin(0);
		begin(1);
#if QUEUES > 2
		begin(2);
#endif
		if
		:: has_lanes[0] || has_lanes[1] || has_lanes[QUEUES - 1] ->
			any_with_lanes(lanes);
			if
			:: true
			:: any_with_lanes(learned)
			fi
		:: else
		fi;
		heirs = lanes;
		if
		:: nr_active > 0 && !is_active[lanes] -> choose_heir(NONE); heirs = heir
		:: else
		fi;
		run stack();
		run readers();
#ifdef SOFTIRQS
		run softirq();
#endif
		run grace();
		run rtnl();
		run judge()
	}
}
