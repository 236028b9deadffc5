//! What presence keeps of the connections of one reactor, and for how long.

use super::*;

fn join(presences: &mut Presences, id: u64, user: &str, grace: u32) {
    let joining = Joining { zone: 0, topic: "topic", user, value: "", grace };
    presences.join(ConnId::from_bits(id), joining).unwrap();
}

fn end(presences: &mut Presences, id: u64, now: u32) {
    presences.end(ConnId::from_bits(id), |grace| now + grace);
}

/// What is reported at a tick, without the snapshots for newcomers.
fn turn(presences: &mut Presences, now: u32) -> usize {
    let listed = presences.begin_turn(now);
    (0..listed).filter_map(|_| presences.report(now)).map(|report| report.news.len()).sum()
}

#[test]
fn reloads_leave_nothing_behind() {
    let mut presences = Presences::new(RosterSeat::alone());
    for id in 1..1_000 {
        join(&mut presences, id, "ada", 40);
        end(&mut presences, id, 0);
        assert_eq!(presences.absent.len(), 1);
    }
    assert_eq!(presences.next(), 40);
    turn(&mut presences, 39);
    assert_eq!(presences.seat().count("topic"), 1);
    turn(&mut presences, 40);
    assert_eq!(presences.next(), NEVER);
    assert!(!presences.is_busy());
    assert!(presences.views.is_empty() && presences.connections.is_empty());
    assert!(presences.absent.is_empty() && presences.listed.is_empty());
}

#[test]
fn absent_users_are_bounded() {
    for drains in [false, true] {
        let mut presences = Presences::new(RosterSeat::alone());
        if drains {
            presences.drain();
        }
        for id in 0..MOST_ABSENT as u64 + 10 {
            join(&mut presences, id, &id.to_string(), 40);
            end(&mut presences, id, id as u32);
        }
        assert_eq!(presences.absent.len(), MOST_ABSENT);
        let present = presences.seat().present("topic");
        assert_eq!(present.len(), MOST_ABSENT);
        assert!(!present.iter().any(|at| &*at.user == "9"), "the earliest have left");
    }
}

/// A client joins and leaves more topics in a turn than the turn reports.
#[test]
fn topics_that_come_and_go_in_a_turn_leave_nothing_behind() {
    let mut presences = Presences::new(RosterSeat::alone());
    let join = |presences: &mut Presences, topic: u32, grace| {
        let topic = &topic.to_string();
        let joining = Joining { zone: 0, topic, user: "ada", value: "", grace };
        presences.join(ConnId::from_bits(1), joining).unwrap();
    };
    for topic in 0..10_000 {
        join(&mut presences, topic, 0);
        presences.leave(ConnId::from_bits(1), &topic.to_string());
        join(&mut presences, topic, 0);
        end(&mut presences, 1, 0);
    }
    assert_eq!((presences.views.len(), presences.listed.len()), (0, 0));
    // A topic with a grace stays until it is over, and one that was reported until that is told.
    join(&mut presences, 1, 4);
    end(&mut presences, 1, 0);
    join(&mut presences, 2, 0);
    turn(&mut presences, 0);
    presences.leave(ConnId::from_bits(1), "2");
    assert_eq!((presences.views.len(), presences.listed.len()), (2, 0));
    assert_eq!(turn(&mut presences, 4), 2, "both have left");
    assert_eq!((presences.views.len(), presences.listed.len()), (0, 0));
}

/// A callback takes one topic out of the list and puts another one in.
#[test]
fn turn_reports_what_was_listed_when_it_began() {
    let mut presences = Presences::new(RosterSeat::alone());
    let join = |presences: &mut Presences, id, topic| {
        let joining = Joining { zone: 0, topic, user: "ada", value: "", grace: 0 };
        presences.join(ConnId::from_bits(id), joining).unwrap();
    };
    join(&mut presences, 1, "one");
    join(&mut presences, 1, "two");
    assert_eq!(presences.begin_turn(0), 2);
    assert_eq!(&*presences.report(0).unwrap().topic, "one");
    presences.leave(ConnId::from_bits(1), "two");
    join(&mut presences, 2, "one");
    assert!(presences.report(0).is_none());
    assert_eq!(presences.begin_turn(0), 1);
    assert_eq!(&*presences.report(0).unwrap().topic, "one");
}

#[test]
fn turn_ends_a_bounded_number_of_graces() {
    let mut presences = Presences::new(RosterSeat::alone());
    for id in 0..ENDS as u64 + 7 {
        join(&mut presences, id, &id.to_string(), 1);
        end(&mut presences, id, 0);
    }
    turn(&mut presences, 5);
    assert_eq!((presences.absent.len(), presences.next()), (7, 1));
    turn(&mut presences, 5);
    assert_eq!(presences.next(), NEVER);
}

#[test]
fn receivers_keep_their_places_when_others_leave() {
    let mut presences = Presences::new(RosterSeat::alone());
    (0..100).for_each(|id| join(&mut presences, id, &(id % 7).to_string(), 0));
    let mut left: Vec<u64> = (0..100).collect();
    for step in 0..90 {
        let id = left.swap_remove(step * 37 % left.len());
        match step % 2 {
            0 => presences.leave(ConnId::from_bits(id), "topic"),
            _ => end(&mut presences, id, 0),
        }
        let mut receivers = presences.views["topic"].receivers.to_vec();
        receivers.sort();
        let mut expected: Vec<ConnId> = left.iter().map(|&id| ConnId::from_bits(id)).collect();
        expected.sort();
        assert_eq!(receivers, expected);
    }
}

#[test]
fn closed_presence_leaves_the_users_of_others() {
    let seats = RosterSeat::all(2);
    let [one, two] = &mut [0, 1].map(|at| Presences::new(seats[at].clone()));
    join(one, 1, "ada", 40);
    join(one, 2, "both", 40);
    join(one, 3, "absent", 40);
    end(one, 3, 0);
    turn(one, 0);
    join(two, 1, "both", 40);
    assert_eq!(two.take_wake(), [], "a user who is there already");
    join(two, 2, "bob", 40);
    assert_eq!((one.take_wake(), two.take_wake()), (vec![], vec![0]));
    assert_eq!(turn(one, 0), 1);
    turn(two, 0);
    one.close();
    assert_eq!(one.take_wake(), [1]);
    assert_eq!(turn(two, 0), 1);
    let present: Vec<_> = two.seat().present("topic").into_iter().map(|at| at.user).collect();
    assert_eq!(present, ["bob".into(), "both".into()]);
}
