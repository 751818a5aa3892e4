/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One flow and three queues that come and go.
 *
 *	stack()		rust/driver/device.rs: select; rust/driver/tx.rs: start_xmit
 *	readers()	whoever reads any queue, at any time
 *	rtnl()		rust/driver/lifecycle.rs: enable and disable, with deactivate, close_gap,
 *			move_waiting, activate and share_waiting
 *
 * Which queue gets the flow when one comes or goes is left open: rust/driver/steering.rs
 * (plan_with, plan_without) may choose any. What a writer teaches the flow table
 * moves a flow at once, by intent, and is left out. So is a qdisc: between the
 * choice of the queue and its use there is one RCU read-side section.
 *
 * Checked: the flow stays in order; no packet is lost while a queue is active and
 * has room; it is steered anew a bounded number of times; what is sent is read
 * or dropped.
 */

#define QUEUES		3
#define NONE		3
#define ROOM		2
#ifndef PACKETS
#define PACKETS		3
#endif
#ifndef OPS
#define OPS		3
#endif

/* A packet goes round again for what changes meanwhile, and waits for nobody. */
#define TRIES		(2 * OPS + 1)

bit is_active[QUEUES] = 1;	/* the gate's state: active or disabled */
bit producer[QUEUES], consumer[QUEUES];
byte ring[6];			/* ROOM * q + i */
byte waiting[QUEUES];
byte slot[QUEUES];
byte place[QUEUES];
byte bucket;
byte nr_active = QUEUES;
bit settled = 1, changing;
bit in_section;

/* What the test knows. */
byte served = QUEUES;
bit none_served;
byte sent, received, dropped, last_read;

inline lock_both(q)
{
	atomic { !consumer[q] -> consumer[q] = 1 };
	atomic { !producer[q] -> producer[q] = 1 }
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

/* Device::select. */
inline steer(index)
{
	do
	:: atomic { nr_active == 0 -> index = NONE; break }
	:: atomic { nr_active == 1 -> index = 0; break }
	:: atomic { nr_active >= 2 -> index = bucket };
		index = place[index];
#ifdef BUG_TORN_SELECT
		break
#else
		if
		:: index != NONE -> break
		:: else
		fi
#endif
	od
}

#ifdef BUG_NO_SETTLING
#define SETTLED		true
#else
#define SETTLED		settled
#endif

/* Device::steers_to: members are compared, since indices change between reads. */
#ifdef BUG_COMPARE_INDEX
#define ASK_AGAIN()	steer(other)
#define STILL		(other == txq)
#else
#define ASK_AGAIN()	skip
#define STILL		(bucket == q)
#endif

/* Only the last queue can be named and yet take nothing. */
#ifdef BUG_NO_RETRY
#define GIVE_UP		(other == txq && slot[other] == q)
#elif defined(BUG_NO_RETRY_OF_MANY)
#define GIVE_UP		(other == txq && slot[other] == q && (q == NONE || !is_active[q]))
#else
#define GIVE_UP		(other == txq && slot[other] == q && nr_active <= 1 && (q == NONE || !is_active[q]))
#endif

proctype stack()
{
	byte txq, other, q, tries;
	bit ready;

	do
	:: sent == PACKETS -> break
	:: atomic {
		sent < PACKETS ->
		in_section = 1;
		sent++;
		none_served = (served == 0)
	   }
		steer(txq);		/* select_queue */
		if
		:: txq == NONE -> txq = 0
		:: else
		fi;
again:
		atomic {
			tries++;
			assert(tries <= TRIES);
			q = slot[txq]
		}
		if
		:: q != NONE ->
			atomic { !producer[q] -> producer[q] = 1 };
			ready = is_active[q];
			if
			:: ready && !SETTLED -> ASK_AGAIN(); ready = STILL
			:: else
			fi;
			if
			:: ready && waiting[q] < ROOM ->
				push(q, sent);
				producer[q] = 0;
				goto next
			:: ready && waiting[q] == ROOM ->
				d_step { producer[q] = 0; dropped++ };
				goto next
			:: !ready -> producer[q] = 0
			fi
		:: else
		fi;
		steer(other);
		if
		:: other != NONE && !GIVE_UP -> txq = other; goto again
		:: else -> atomic { assert(none_served); dropped++ }
		fi;
next:
		atomic {
			in_section = 0;
			settled = settled || !changing;
			txq = NONE; other = NONE; q = NONE; ready = 0; tries = 0
		}
	od
}

inline read(q)
{
	atomic {
		waiting[q] > 0 && !consumer[q] ->
		pop(q, packet);
		assert(packet > last_read);
		last_read = packet;
		packet = 0;
		received++
	}
}

proctype readers()
{
	byte packet;
end:
	do
	:: read(0)
	:: read(1)
	:: read(2)
	od
}

inline begin_change()
{
	d_step { settled = 0; changing = 1 }
}

inline end_change()
{
	d_step { changing = 0; settled = !in_section }
}

inline hand_over(to)
{
	atomic { !producer[to] -> producer[to] = 1 };
	if
	:: waiting[to] < ROOM -> push(to, packet); producer[to] = 0
	:: else -> d_step { producer[to] = 0; dropped++ }
	fi;
	packet = 0
}

/* plan_without: who takes the flow over. */
inline choose_heir()
{
	if
	:: nr_active == 1 -> heir = NONE
	:: bucket != q -> heir = bucket
	:: nr_active > 1 && bucket == q ->
		if
		:: is_active[0] && q != 0 -> heir = 0
		:: is_active[1] && q != 1 -> heir = 1
		:: is_active[2] && q != 2 -> heir = 2
		fi
	fi
}

inline deactivate()
{
	atomic {
		index = place[q];
		choose_heir();
		begin_change()
	}
	lock_both(q);
	d_step {
		is_active[q] = 0;
		served--;
		none_served = none_served || served == 0
	}
#ifdef BUG_CLEAR_INDEX_FIRST
	place[q] = NONE;
#endif
#ifdef BUG_STEER_BEFORE_MOVE
	if
	:: heir != NONE -> bucket = heir
	:: else
	fi;
#endif
	do
	:: waiting[q] > 0 && heir != NONE -> pop(q, packet); hand_over(heir)
	:: waiting[q] > 0 && heir == NONE -> atomic { pop(q, packet); packet = 0; dropped++ }
	:: waiting[q] == 0 -> break
	od;
	if
	:: heir != NONE -> bucket = heir
	:: else
	fi;
	place[q] = NONE;
	d_step { producer[q] = 0; consumer[q] = 0 }
	if
	:: atomic { index != nr_active - 1 -> heir = slot[nr_active - 1] }
#ifdef BUG_CLEAR_SLOT_FIRST
		slot[nr_active - 1] = NONE;
#endif
		slot[index] = heir;
		place[heir] = index
	:: else
	fi;
	slot[nr_active - 1] = NONE;
	nr_active--;
	d_step { index = 0; heir = 0 }
	end_change()
}

/* share_waiting: the packets of the flow go on to q. */
inline share()
{
	n = waiting[donor];
	do
	:: n > 0 -> pop(donor, packet); n--; hand_over(q)
	:: else -> break
	od
}

inline activate()
{
	atomic { index = nr_active; is_active[q] = 1 }
	begin_change();
	slot[index] = q;
	place[q] = index;
	if
	:: index > 0 ->
		nr_active = index + 1;
		if
		:: true			/* the flow stays */
		:: bucket != q ->
			donor = bucket;
#ifdef BUG_ATTACH_NO_MOVE
			bucket = q
#elif defined(BUG_MOVE_BEFORE_LOCK)
			share();
			lock_both(donor);
			bucket = q;
			d_step { producer[donor] = 0; consumer[donor] = 0 }
#else
			lock_both(donor);
			share();
			bucket = q;
			d_step { producer[donor] = 0; consumer[donor] = 0 }
#endif
		fi
#ifdef BUG_STALE_BUCKET
	:: else -> nr_active = 1
#else
	:: else -> bucket = q; nr_active = 1
#endif
	fi;
	d_step { index = 0; donor = 0; served++ }
	end_change()
}

proctype rtnl()
{
	byte ops, q, index, heir, donor, packet, n;

	do
	:: ops == OPS -> break
	:: ops < OPS ->
		atomic {
			ops++;
			if
			:: q = 0
			:: q = 1
			:: q = 2
			fi
		}
		if
		:: is_active[q] -> deactivate()
		:: else -> activate()
		fi
	od
}

/* Runs when nothing else can: the readers have read all there is. */
proctype judge()
{
end:
	timeout;
	assert(waiting[0] + waiting[1] + waiting[2] == 0);
	assert(sent == PACKETS && sent == received + dropped)
}

init {
	atomic {
		slot[1] = 1; slot[2] = 2;
		place[1] = 1; place[2] = 2;
		if
		:: bucket = 0
		:: bucket = 1
		:: bucket = 2
		fi;
		run stack();
		run readers();
		run rtnl();
		run judge()
	}
}
