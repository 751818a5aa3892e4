/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A flow that is written on one queue and on another, and where its packets go.
 *
 *	stack()		rust/driver/flow.rs: lookup_recent, and start_xmit of tx.rs
 *	program()	rust/driver/tx.rs: receive, and who passes each packet on
 *	writer()	rust/driver/flow.rs: learn
 *
 * Both move flows by move_flow of rust/driver/device/recipient.rs.
 *
 * Two queues, each with a reader, which reads, passes on what it read, and reads
 * again. Anybody may write a packet of the flow on either queue at any time, and what
 * was learned may be old at any time: the hash says queue 0 then.
 *
 * A packet is put into a ring in one step with the choice of its lane: one that is
 * between the two when its flow moves may come after those of the new lane, as one
 * that waits in a qdisc may. That no reader comes for a second is not here, either.
 *
 * Checked: the packets of the flow are passed on in the order in which they were
 * sent, and when all are, the flow may move.
 */

#ifndef PACKETS
#define PACKETS		3
#endif
#ifndef WRITES
#define WRITES		2
#endif
#define QUEUES		2

/* It is known, and was written on the queue that its hash says. */
byte learned;

/* Rings, and whether a reader found none when it asked last. */
byte ring[QUEUES * PACKETS];
byte waiting[QUEUES];
bit idle[QUEUES] = 1;

/* The producers' locks. */
bit locked[QUEUES];

byte sent, passed, nr_passed;

inline push(q)
{
	sent++;
	ring[PACKETS * (q) + waiting[q]] = sent;
	waiting[q]++
}

inline pop(q)
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

/* Its lane comes to be q, unless another writer was faster. */
inline replace(old, q)
{
	atomic {
		if
		:: learned == old -> learned = q
		:: else
		fi
	}
}

/* Sets may: whether the next packet of the flow may come by another queue than q. */
inline ask(q)
{
#ifdef BUG_IDLE_FIRST
	may = idle[q];
	may = may && waiting[q] == 0;
#elif defined(BUG_EMPTY_IS_ENOUGH)
	may = waiting[q] == 0;
#else
	may = waiting[q] == 0;
	may = may && idle[q];
#endif
}

inline move_flow(old, q)
{
#ifdef BUG_NO_LOCK
	ask(old);
#else
	atomic { !locked[old] -> locked[old] = 1 }
	ask(old);
#endif
	if
	:: may -> replace(old, q)
	:: else
	fi;
#ifndef BUG_NO_LOCK
	locked[old] = 0;
#endif
	may = 0
}

proctype stack()
{
	byte old;
	bit may;

	do
	:: sent == PACKETS -> break
	:: sent < PACKETS -> d_step { !locked[learned] -> push(learned) }
	:: learned != 0 ->	/* and old */
		old = learned;
#ifdef BUG_OLD_IS_GONE
		replace(old, 0);
#else
		move_flow(old, 0);
#endif
		old = 0
	od
}

proctype program(byte q)
{
	byte packet, i;

end:
	do
	:: waiting[q] > 0 || !idle[q] ->
#ifndef BUG_TAKES_AFTER
		idle[q] = 0;
#endif
		/* Under the consumer lock. */
		d_step {
			if
			:: waiting[q] > 0 -> pop(q)
			:: else
			fi
		}
#ifdef BUG_TAKES_AFTER
		if
		:: packet > 0 -> idle[q] = 0
		:: else
		fi;
#endif
#ifdef BUG_IDLE_WITH_ONE_IN_HAND
		idle[q] = 1;
#endif
		if
		:: packet > 0 -> d_step {
			assert(packet > passed);
			passed = packet;
			packet = 0;
			nr_passed++
		   }
		:: else -> idle[q] = 1
		fi
	od
}

proctype writer(byte q; byte writes)
{
	byte old;
	bit may;

	do
	:: writes == 0 -> break
	:: writes > 0 ->
		writes--;
		old = learned;
		if
		:: old == q
#ifdef BUG_MOVES_AT_ONCE
		:: old != q -> replace(old, q)
#else
		:: old != q -> move_flow(old, q)
#endif
		fi;
		old = 0
	od
}

/* Runs when nothing else can. */
proctype judge()
{
	byte old;
	bit may;

end:
	timeout;
	assert(waiting[0] == 0 && waiting[1] == 0);
	assert(sent == PACKETS && nr_passed == PACKETS);
	/* Nothing is on its way any more, so that the flow may go anywhere. */
	ask(learned);
	assert(may && !locked[0] && !locked[1])
}

init {
	atomic {
		run stack();
		run program(0);
		run program(1);
		run writer(0, WRITES);
		run writer(1, WRITES);
		run judge()
	}
}
