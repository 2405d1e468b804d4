//! Sockets in virtual time.

use proptest::prelude::*;

use super::*;

const STALL: Duration = Duration::from_secs(1);

/// Sockets whose queues are set by hand.
struct World {
    now: Moment,
    listener: Listener,
    /// Queue and drops of each socket.
    sockets: Vec<(u32, u32)>,
    /// Added to the inodes.
    generation: u64,
    work: Option<Work>,
    is_crowded: bool,
}

impl World {
    /// This number of sockets that were seen empty, of an idle process.
    fn new(sockets: usize) -> Self {
        let mut world = Self {
            now: Moment::START,
            listener: Listener::new(STALL),
            sockets: vec![(0, 0); sockets],
            generation: 0,
            work: Some(Work { used: Duration::ZERO, runnable: false, stopped: false }),
            is_crowded: true,
        };
        world.look();
        world
    }

    fn look(&mut self) -> Verdict {
        let samples: Vec<_> = (self.generation..)
            .zip(&self.sockets)
            .map(|(inode, &(queue, drops))| Sample {
                id: SocketId { inode, cookie: inode },
                queue,
                drops,
                is_crowded: self.is_crowded,
            })
            .collect();
        self.listener.sample(self.now, &samples, self.work);
        self.listener.verdict()
    }

    fn after(&mut self, millis: u64) -> Verdict {
        self.now = self.now + Duration::from_millis(millis);
        self.look()
    }

    /// Samples every 15 ms. `work` is the CPU time in each step. Returns the verdict and its time if it changes.
    fn run(&mut self, millis: u64, work: Duration) -> Option<(u64, Verdict)> {
        let before = self.listener.verdict();
        for passed in (15..=millis).step_by(15) {
            if let Some(known) = &mut self.work {
                known.used += work;
            }
            let verdict = self.after(15);
            if std::mem::discriminant(&verdict) != std::mem::discriminant(&before) {
                return Some((passed, verdict));
            }
        }
        None
    }
}

fn unread(stuck: usize, of: usize, millis: u64) -> Unread {
    Unread { stuck, of, time: Duration::from_millis(millis) }
}

#[test]
fn one_query_that_waits_for_twelve_steps_is_a_hang() {
    let mut world = World::new(1);
    world.sockets[0].0 = 832;
    assert_eq!(world.run(1000, Duration::ZERO), Some((195, Verdict::NotReading(unread(1, 1, 180)))));
    assert_eq!(world.listener.pace(), Pace::Idle, "decided");
    world.sockets[0].0 = 0;
    assert_eq!(world.after(100), Verdict::Reading);
}

#[test]
fn a_full_queue_is_a_hang_though_it_does_not_grow() {
    let mut world = World::new(2);
    for (step, socket) in (0..20).flat_map(|step| [(step, 0), (step, 1)]) {
        if socket == 0 {
            world.after(15);
        }
        let filled = 100_000 * (step + 1);
        world.sockets[socket] = (filled.min(212_992), filled.saturating_sub(212_992) / 832);
    }
    assert!(matches!(world.listener.verdict(), Verdict::NotReading(Unread { stuck: 2, of: 2, .. })));
    assert!(!world.listener.is_overloaded(world.now));
}

#[test]
fn a_stopped_process_is_hung_though_only_one_socket_has_a_query() {
    let mut world = World::new(4);
    world.sockets[2].0 = 832;
    world.work = Some(Work { used: Duration::ZERO, runnable: false, stopped: true });
    assert_eq!(world.run(1000, Duration::ZERO), Some((195, Verdict::NotReading(unread(1, 4, 180)))));
}

#[test]
fn an_idle_process_with_one_waiting_socket_of_four_is_asked_again_before_it_is_hung() {
    let mut world = World::new(4);
    world.sockets[2].0 = 832;
    let mut asked = vec![];
    for passed in (15..=375).step_by(15) {
        world.after(15);
        if world.listener.take_probe_request(world.now) {
            asked.push(passed);
        }
    }
    assert_eq!(asked, [60, 195], "at the third step, and at the last");
    assert_eq!(world.listener.verdict(), Verdict::NotReading(unread(1, 4, 360)));
}

#[test]
fn a_process_that_works_or_is_not_seen_is_given_a_second() {
    let busy = Work { used: Duration::ZERO, runnable: true, stopped: false };
    for (work, used) in [(Some(busy), 0), (Some(Work { runnable: false, ..busy }), 10), (None, 0)] {
        let mut world = World::new(1);
        world.work = work;
        world.sockets[0].0 = 832;
        let stalled = world.run(2000, Duration::from_millis(used)).unwrap();
        assert_eq!(stalled, (1020, Verdict::Stalled(unread(1, 1, 1005))), "{work:?}");
    }
    // A reload ends before.
    let mut world = World::new(1);
    world.sockets[0].0 = 832;
    assert_eq!(world.run(900, Duration::from_millis(10)), None);
    world.sockets[0].0 = 0;
    assert_eq!(world.run(2000, Duration::from_millis(10)), None);
}

#[test]
fn a_part_of_the_sockets_degrades_and_half_of_them_bring_down_after_a_second() {
    let mut world = World::new(4);
    let step = |world: &mut World, stuck: usize, passed: u32| {
        for (place, socket) in world.sockets.iter_mut().enumerate() {
            socket.0 = if place < stuck { 832 * (passed + 1) } else { 832 * (passed % 2) };
        }
        world.after(15)
    };
    for passed in 0..=100 {
        step(&mut world, 1, passed);
    }
    assert!(matches!(world.listener.verdict(), Verdict::PartlyHung(Unread { stuck: 1, of: 4, .. })));
    for passed in 101..=166 {
        step(&mut world, 2, passed);
    }
    assert!(matches!(world.listener.verdict(), Verdict::PartlyHung(Unread { stuck: 2, of: 4, .. })));
    for passed in 167..=170 {
        step(&mut world, 2, passed);
    }
    assert!(matches!(world.listener.verdict(), Verdict::Stalled(Unread { stuck: 2, of: 4, .. })));
}

#[test]
fn an_answer_distinguishes_a_part_from_all_sockets() {
    let mut world = World::new(2);
    world.sockets[0].0 = 832;
    world.run(120, Duration::ZERO);
    world.listener.answered(world.now);
    assert_eq!(world.run(1000, Duration::ZERO), Some((75, Verdict::PartlyHung(unread(1, 2, 180)))));
    // Of one socket it proves that it is read.
    let mut world = World::new(1);
    world.sockets[0].0 = 832;
    for _ in 0..20 {
        assert_eq!(world.run(120, Duration::ZERO), None);
        world.listener.answered(world.now);
    }
}

#[test]
fn a_gap_between_samples_is_one_step() {
    let mut world = World::new(1);
    world.sockets[0].0 = 832;
    world.after(15);
    for _ in 0..11 {
        assert_eq!(world.after(400), Verdict::Reading, "the helper got no CPU");
    }
    assert!(matches!(world.after(400), Verdict::NotReading(_)));
    // Samples that are closer than a step are none.
    let mut world = World::new(1);
    world.sockets[0].0 = 832;
    assert!((0..140).all(|_| world.after(1) == Verdict::Reading));
}

#[test]
fn drops_beside_decreases_are_overload_and_held_for_five_seconds() {
    let mut world = World::new(1);
    world.sockets[0] = (212_992, 10);
    world.after(15);
    assert_eq!(world.listener.verdict(), Verdict::Reading, "not seen read");
    world.sockets[0] = (200_000, 20);
    assert_eq!(world.after(15), Verdict::Overload(20));
    assert!(world.listener.is_overloaded(world.now));
    world.sockets[0] = (0, 20);
    assert_eq!(world.run(4900, Duration::ZERO), None);
    assert_eq!(world.run(300, Duration::ZERO).unwrap().1, Verdict::Reading);
    // Drained between two samples.
    world.sockets[0] = (0, 25);
    assert_eq!(world.after(100), Verdict::Overload(5));
}

#[test]
fn a_counter_that_goes_back_drops_nothing_and_one_that_wraps_does() {
    let mut world = World::new(1);
    for (drops, dropped) in [(50, Some(50)), (10, None), (u32::MAX, None), (4, Some(5))] {
        world.sockets[0].1 = drops;
        let verdict = world.after(10_000);
        assert_eq!(
            verdict == Verdict::Overload(dropped.unwrap_or(0)),
            dropped.is_some(),
            "{drops}: {verdict:?}"
        );
    }
}

/// The kernel counts a connection as dropped, too, to whose client it has no route.
#[test]
fn drops_of_a_queue_with_room_are_no_overload() {
    let mut world = World::new(1);
    world.is_crowded = false;
    world.after(15);
    world.sockets[0].1 = 20;
    assert_eq!(world.after(15), Verdict::Reading);
    assert_eq!(world.listener.seen().drops, 0);
    world.is_crowded = true;
    assert_eq!(world.after(15), Verdict::Reading, "they are not counted later");
    (world.sockets[0].1, world.is_crowded) = (23, false);
    assert_eq!(world.after(15), Verdict::Overload(3), "it was full before this sample");
}

#[test]
fn new_sockets_have_no_history() {
    let mut world = World::new(1);
    world.sockets[0].0 = 832;
    assert_eq!(world.run(150, Duration::ZERO), None);
    world.generation += 1;
    assert_eq!(world.run(150, Duration::ZERO), None, "opened anew");
    // This one has never been read: the restarted server may still be loading.
    assert_eq!(world.run(600, Duration::ZERO).unwrap().1, Verdict::NeverRead);
    world.sockets[0].0 = 0;
    assert_eq!(world.after(15), Verdict::Reading);
    // An inode that is used again with another cookie is another socket.
    let sample =
        |cookie| [Sample { id: SocketId { inode: 7, cookie }, queue: 832, drops: 0, is_crowded: true }];
    let mut listener = Listener::new(STALL);
    for millis in 0..100 {
        listener.sample(Moment::START + Duration::from_millis(millis * 15), &sample(millis / 8), world.work);
        assert_eq!(listener.verdict(), Verdict::Reading);
    }
}

#[test]
fn only_a_socket_that_was_seen_can_be_missing() {
    let mut world = World::new(0);
    assert_eq!(world.run(5000, Duration::ZERO), None);
    assert_eq!(world.listener.verdict(), Verdict::Unseen);
    world.sockets.push((0, 0));
    assert_eq!(world.after(15), Verdict::Reading);
    // Gone for a moment: opened anew.
    world.sockets.clear();
    assert_eq!(world.after(15), Verdict::Reading);
    assert!(world.listener.take_probe_request(world.now) && world.listener.pace() == Pace::Fast);
    assert_eq!(world.after(45), Verdict::Reading);
    world.sockets.push((0, 0));
    assert_eq!(world.after(15), Verdict::Reading);
    // Gone for good; two samples far apart are not enough.
    world.sockets.clear();
    assert_eq!(world.after(15), Verdict::Reading);
    assert_eq!(world.after(500), Verdict::Reading);
    assert_eq!(world.after(15), Verdict::Missing);
    world.sockets.push((0, 0));
    assert_eq!(world.after(15), Verdict::Reading);
}

#[test]
fn a_server_that_answers_without_sockets_has_hidden_them() {
    let mut world = World::new(1);
    world.listener.answered(world.now);
    world.sockets.clear();
    world.after(15);
    assert_eq!(world.run(200, Duration::ZERO), Some((75, Verdict::Missing)), "an answer from before");
    world.listener.answered(world.now);
    assert_eq!(world.after(15), Verdict::Hidden);
    assert_eq!(world.run(60_000, Duration::ZERO), None);
}

#[test]
fn a_helper_that_starts_beside_a_hung_server_judges_nothing() {
    let mut listener = Listener::new(STALL);
    let sample = [Sample { id: SocketId { inode: 1, cookie: 1 }, queue: 832, drops: 0, is_crowded: true }];
    for step in 0..100 {
        listener.sample(Moment::START + Duration::from_millis(step * 15), &sample, None);
    }
    assert_eq!(listener.verdict(), Verdict::NeverRead);
}

#[test]
fn a_socket_that_was_never_read_does_not_slow_the_watch_of_another() {
    let mut listener = Listener::new(STALL);
    let sample =
        |inode, queue| Sample { id: SocketId { inode, cookie: inode }, queue, drops: 0, is_crowded: true };
    for step in 0..20 {
        listener.sample(
            Moment::START + Duration::from_millis(step * 15),
            &[sample(1, 832), sample(2, 0)],
            None,
        );
    }
    assert_eq!((listener.verdict(), listener.pace()), (Verdict::NeverRead, Pace::Idle));
    listener.sample(Moment::START + Duration::from_millis(300), &[sample(1, 832), sample(2, 832)], None);
    assert_eq!((listener.verdict(), listener.pace()), (Verdict::NeverRead, Pace::Fast));
}

/// The time is that of the socket that got stuck first.
#[test]
fn the_phrase_is_true_of_each_socket() {
    let phrase = |stuck, of| Unread { stuck, of, time: Duration::from_millis(180) }.phrase();
    assert_eq!(phrase(1, 1), "the socket was not read for 180ms");
    assert_eq!(phrase(1, 4), "1 of 4 sockets not read for 180ms");
    assert_eq!(phrase(4, 4), "4 of 4 sockets not read for up to 180ms");
}

proptest! {
    /// For any samples, a server that reads each socket within nine steps is not hung.
    #[test]
    fn a_server_that_reads_is_never_hung(
        steps in prop::collection::vec((0_u32..300_000, 0_u32..50, 1_u64..400, prop::bool::ANY), 1..200),
        busy in prop::bool::ANY,
    ) {
        let mut world = World::new(2);
        for (place, (queue, drops, gap, answered)) in steps.into_iter().enumerate() {
            let read = place % 9 == 0;
            for socket in &mut world.sockets {
                *socket = (if read { 0 } else { queue.max(socket.0) }, socket.1.wrapping_add(drops));
            }
            if let Some(work) = &mut world.work {
                work.used += Duration::from_millis(if busy { gap } else { 0 });
            }
            if answered {
                world.listener.answered(world.now);
            }
            let verdict = world.after(gap);
            let is_well = matches!(verdict, Verdict::Reading | Verdict::Overload(_));
            prop_assert!(is_well, "{:?}", verdict);
        }
        world.sockets.fill((0, 0));
        world.after(15);
        world.sockets.clear();
        prop_assert!(!matches!(world.after(15), Verdict::Missing));
    }

    /// After any samples: a queue that never decreases is found within thirteen samples of the last decrease.
    #[test]
    fn a_server_that_stops_reading_is_found(
        before in prop::collection::vec((0_u32..300_000, 1_u64..100), 0..50),
        growth in prop::collection::vec(0_u32..9_000, 13..14),
    ) {
        let mut world = World::new(1);
        for (queue, gap) in before {
            world.sockets[0].0 = queue;
            world.after(gap);
        }
        world.sockets[0].0 = 0;
        world.after(15);
        let mut queue = 1;
        for more in growth {
            queue += more;
            world.sockets[0].0 = queue;
            world.after(15);
        }
        prop_assert!(matches!(world.listener.verdict(), Verdict::NotReading(_)));
    }
}
