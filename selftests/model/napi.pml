/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The NAPI context of a queue, while the queue is attached, detached and ended.
 *
 *	writer()	rust/driver/rx.rs: write, deliver; rust/net/napi.rs: receive
 *	softirq()	rust/net/napi.rs: poll, as the stack calls it
 *	walker()	who looks at a device's contexts under RCU: sysfs, busy polling
 *	rtnl()		rust/driver/lifecycle.rs: activate, deactivate, close,
 *			device_gone; rust/net/napi.rs: enable, disable, drop
 *
 * The gate is that of gate.pml. The stack's part is what napi_schedule_prep(),
 * napi_complete_done(), napi_enable() and napi_disable() do to the context's state.
 * RCU is what it guarantees: what was let go is freed once the section has ended that
 * ran then.
 *
 * Checked: nobody uses what is freed; what was written is received or counted as
 * dropped, each writer's in order; no packet waits in a context that nobody will poll;
 * and nothing is dropped but when the device goes.
 */

#ifndef NWRITERS
#define NWRITERS	2
#endif
#ifndef CALLS
#define CALLS		2
#endif
#ifndef OPS
#define OPS		3
#endif
#define ROOM		(NWRITERS * CALLS)

/* The queue's gate. */
#define DEAD		1
#define DISABLED	2
#define ACTIVE		3
byte state = DISABLED;
bit phase;
byte users[2];

/* The context. One that is not enabled is owned by who disabled it. */
bit owned = 1, missed, disabling, pending;
bit listed = 1, freed, leaving;
chan backlog = [ROOM] of { byte, byte };	/* of which writer, which packet */

bit in_section;		/* the walker's RCU read-side section */

/* What the test knows. */
byte written, received, dropped;
byte last[NWRITERS];
bit gone;		/* the device is going away */

inline deliver(w, n)
{
	d_step {
		assert(n == last[w] + 1);
		last[w] = n;
		received++
	}
}

/* ---- Writers ---- */

inline schedule()
{
	d_step {
		assert(!freed);
		if
		:: disabling
		:: !disabling && owned -> missed = 1
		:: !disabling && !owned -> owned = 1; pending = 1
		fi
	}
}

proctype writer(byte me)
{
	byte calls, n;
	bit p, in_use;

	do
	:: calls == CALLS -> break
	:: calls < CALLS ->
		calls++;
		atomic {
			if
			:: state == DEAD -> break	/* EBADFD */
			:: else ->
				p = phase;
				users[p]++;
				in_use = state == ACTIVE
			fi
		}
		if
		:: in_use ->
			n++;
			atomic {
				assert(!freed);
				backlog!me,n;
				written++
			}
			schedule()
		:: !in_use			/* EBUSY */
		fi;
		d_step { users[p]--; p = 0; in_use = 0 }
	od
}

/* ---- The stack ---- */

/* Gives the context up, unless it was wanted again meanwhile. */
inline complete()
{
	d_step {
		assert(owned && !freed);
		if
		:: missed -> missed = 0; pending = 1
		:: else -> owned = 0
		fi
	}
}

proctype softirq()
{
	byte w, n;

end:
	do
	:: atomic { pending -> pending = 0 }
		do
		:: atomic {
			assert(!freed);
			if
			:: backlog?w,n
			:: empty(backlog) -> break
			fi
		   }
		   deliver(w, n)
		:: disabling -> break		/* the budget is used up, too */
		od;
		atomic { w = 0; n = 0 }
		complete()
	od
}

proctype walker()
{
	byte calls;
	bit found;

	do
	:: calls == CALLS -> break
	:: calls < CALLS ->
		atomic { calls++; in_section = 1; found = listed }
		if
		:: found -> assert(!freed)
		:: else
		fi;
		d_step {
			in_section = 0;
			freed = freed || leaving;
			leaving = 0;
			found = 0
		}
	od
}

/* ---- Under RTNL ---- */

inline enable()
{
	d_step {
		assert(owned && !pending && !freed);
		owned = 0;
		missed = 0
	}
}

inline disable()
{
	disabling = 1;
	atomic { !owned -> owned = 1; disabling = 0 }
}

inline publish(new)
{
	d_step { state = new; old = phase; phase = !phase }
}

/* What waits, once nobody polls: it is received, or dropped and counted. */
inline take_all(lose)
{
	do
	:: backlog?w,n ->
		if
		:: lose -> dropped++; last[w] = n
		:: else -> deliver(w, n)
		fi
	:: empty(backlog) -> break
	od;
	atomic { w = 0; n = 0 }
}

inline activate()
{
#ifdef BUG_ACTIVE_BEFORE_ENABLE
	publish(ACTIVE);
	enable();
#else
	enable();
	publish(ACTIVE);
#endif
	users[old] == 0
}

inline deactivate()
{
	publish(DISABLED);
#ifdef BUG_DISABLE_BEFORE_WAIT
	disable();
	take_all(false);
	users[old] == 0
#else
	users[old] == 0;
#ifdef BUG_DRAIN_BEFORE_DISABLE
	take_all(false);
	disable()
#elif defined(BUG_NO_DRAIN)
	disable()
#elif defined(BUG_NO_DISABLE)
	skip
#else
	disable();
	take_all(false)
#endif
#endif
}

/* The context's end. */
inline delete()
{
	assert(empty(backlog));
	d_step {
		listed = 0;
		if
#ifndef BUG_FREE_AT_ONCE
		:: in_section -> leaving = 1
#endif
		:: else -> freed = 1
		fi
	}
}

inline close()
{
	if
	:: state == ACTIVE -> deactivate()
	:: else
	fi;
	publish(DEAD);
	users[0] == 0 && users[1] == 0;
	delete()
}

inline device_gone()
{
	gone = 1;
	publish(DEAD);
#ifdef BUG_TAKE_BEFORE_REAP
	skip;
#else
	users[0] == 0 && users[1] == 0;
#endif
#ifdef BUG_GONE_NOT_DISABLED
	skip;
#else
	if
	:: was -> disable()
	:: else
	fi;
#endif
#ifndef BUG_GONE_NOT_TAKEN
	take_all(true);
#endif
	delete()
}

proctype rtnl()
{
	byte ops, w, n;
	bit old, was;

	do
	:: ops == OPS -> break
	:: ops < OPS && state == DISABLED -> ops++; activate()
	:: ops < OPS && state == ACTIVE -> ops++; deactivate()
	:: ops > 0 -> break
	od;
	was = state == ACTIVE;
	if
	:: close()
	:: device_gone()
	:: true			/* it stays as it is */
	fi
}

/* ---- The end ---- */

/* Runs when nothing else can. */
proctype judge()
{
end:
	timeout;
	assert(freed || state != DEAD);
	/* What waits will be received. */
	assert(empty(backlog));
	assert(gone || dropped == 0);
	assert(written == received + dropped);
	assert(users[0] + users[1] == 0);
	assert(owned == (state != ACTIVE))
}

init {
	byte i;

	atomic {
		do
		:: i < NWRITERS -> run writer(i); i++
		:: else -> break
		od;
		run softirq();
		run walker();
		run rtnl();
		run judge()
	}
}
