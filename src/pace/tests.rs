//! With a clock that stands still as long as anybody has something to do.

use super::*;
use futures_util::future::join_all;

fn limits(budget: u64) -> Limits {
    Limits {
        budget: Duration::from_secs(budget),
        jitter: || 0.0,
        ..Limits::default()
    }
}

fn policy(attempts: u32, delays: &[u64]) -> Retry {
    Retry {
        attempts,
        delays: delays
            .iter()
            .map(|delay| crate::domain::Duration::from_secs(*delay))
            .collect(),
        ..Retry::default()
    }
}

fn after(seconds: u64) -> Again {
    Again::After(Duration::from_secs(seconds))
}

fn address(text: &str) -> Url {
    text.parse().unwrap()
}

fn asking(seconds: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", seconds.parse().unwrap());
    headers
}

#[test]
fn attempts_delays_and_what_is_asked_for() {
    let pace = Pace::new(limits(10_000));
    let policy = policy(4, &[15, 30]);
    for (attempt, asked, expected) in [
        (1, None, after(15)),
        (2, None, after(30)),
        (3, None, after(30)),
        (4, None, Again::No),
        (1, Some(5), after(15)),
        (1, Some(40), after(40)),
        (1, Some(300), after(300)),
        (4, Some(1), Again::No),
    ] {
        let asked = asked.map(Duration::from_secs);
        assert_eq!(
            pace.again(&policy, attempt, asked),
            expected,
            "{attempt} {asked:?}"
        );
    }
    // Longer than anybody waits: another attempt before that is for nothing.
    let Again::Refused(why) = pace.again(&policy, 1, Some(Duration::from_secs(21600))) else {
        panic!("it waits for six hours");
    };
    assert_eq!(why, "it asks to wait 6h, and nobody waits longer than 5m for one");
    assert_eq!(pace.again(&self::policy(1, &[15]), 1, None), Again::No);
    assert_eq!(pace.again(&self::policy(2, &[]), 1, None), after(0));
}

#[test]
fn jitter_adds_a_fifth_at_most_and_never_much() {
    for (jitter, delay, millis) in [
        ((|| 1.0) as fn() -> f64, 15, 18_000),
        (|| 0.5, 15, 16_500),
        (|| 1.0, 300, 310_000),
        (|| 1.0, 0, 0),
        (|| 7.0, 15, 18_000),
    ] {
        let pace = Pace::new(Limits {
            jitter,
            ..limits(10_000)
        });
        let again = pace.again(&policy(2, &[delay]), 1, None);
        assert_eq!(again, Again::After(Duration::from_millis(millis)));
    }
    let drawn: Vec<f64> = (0..20).map(|_| random()).collect();
    assert!(
        drawn.iter().all(|number| (0.0..=1.0).contains(number)),
        "{drawn:?}"
    );
    assert!(
        drawn.iter().any(|number| (number - drawn[0]).abs() > 0.001),
        "{drawn:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn budget_counts_pauses_at_the_same_time_once_and_ends() {
    let pace = Pace::new(limits(40));
    let policy = policy(9, &[15]);
    // Side by side: forty of them cost what one costs.
    for _ in 0..40 {
        assert_eq!(pace.again(&policy, 1, None), after(15));
    }
    tokio::time::advance(Duration::from_secs(15)).await;
    assert_eq!(pace.again(&policy, 1, None), after(15));
    tokio::time::advance(Duration::from_secs(5)).await;
    // 5 s more than what is spent: 35 of 40.
    assert_eq!(pace.again(&policy, 1, None), after(15));
    tokio::time::advance(Duration::from_secs(100)).await;
    let Again::Refused(why) = pace.again(&policy, 1, None) else {
        panic!("there is always more");
    };
    assert_eq!(why, "the 40s of pauses that a run may make are spent");
    // What fits still goes, and clones share it.
    assert_eq!(pace.clone().again(&self::policy(2, &[5]), 1, None), after(5));
    tokio::time::advance(Duration::from_secs(5)).await;
    assert!(matches!(
        pace.again(&self::policy(2, &[1]), 1, None),
        Again::Refused(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_asks_to_wait_is_left_alone_by_all() {
    let pace = Pace::new(limits(100));
    let (one, other) = (
        address("https://r.example:5000/v2/a"),
        address("https://r.example/v2/a"),
    );
    pace.heard(&one, 429, &asking("40"));
    pace.heard(&one, 429, &asking("10"));
    let began = Instant::now();
    pace.ready(&other, Counts::AsAny).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 0);
    let same = address("https://r.example:5000/v2/b");
    let all = join_all((0..20).map(|_| pace.ready(&same, Counts::AsAny))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(began.elapsed().as_secs(), 40);
    pace.ready(&same, Counts::AsAny).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 40);
    // Other answers hold nobody, and what nobody would wait for does not either.
    pace.heard(&one, 503, &asking("40"));
    pace.heard(&one, 429, &asking("soon"));
    pace.heard(&one, 429, &asking("21600"));
    assert_eq!(pace.held(&one, Counts::AsAny), None);
    // The wait is a pause as others are: 40 of 100 are spent.
    pace.heard(&one, 429, &asking("61"));
    let error = pace.ready(&one, Counts::AsAny).await.unwrap_err();
    assert!(
        error.starts_with("`r.example:5000` has asked to wait 1m1s more: the 1m40s"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn docker_hub_is_asked_300_times_a_minute_at_most() {
    let pace = Pace::default();
    let began = Instant::now();
    let hosts = [
        "https://registry-1.docker.io/v2/a",
        "https://auth.docker.io/token",
        "https://hub.docker.com/v2/b",
    ];
    let mut turns = Vec::new();
    for number in 0..700 {
        pace.ready(&address(hosts[number % 3]), Counts::AsAny)
            .await
            .unwrap();
        turns.push(began.elapsed());
    }
    assert_eq!(turns[299].as_secs(), 0);
    assert_eq!((turns[300].as_secs(), turns[600].as_secs()), (60, 120));
    for pair in turns.windows(301) {
        assert!(pair[300].saturating_sub(pair[0]) >= Duration::from_secs(60));
    }
    // Nobody else is asked less for that, and waiting for a turn is no pause.
    for host in [
        "https://ghcr.io/v2",
        "https://mydocker.io/v2",
        "https://docker.io.example/v2",
    ] {
        pace.ready(&address(host), Counts::AsAny).await.unwrap();
    }
    assert_eq!(began.elapsed().as_secs(), 120);
    assert!(pace.spend(Retry::default().budget.0));
}

#[test]
fn few_requests_that_are_left_are_told() {
    let pace = Pace::default();
    let heard = |address: &str, remaining: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("ratelimit-limit", "100;w=21600".parse().unwrap());
        headers.insert("ratelimit-remaining", remaining.parse().unwrap());
        pace.heard(&self::address(address), 200, &headers);
    };
    heard("https://registry-1.docker.io/v2/", "21;w=21600");
    assert_eq!(pace.few(), [""; 0]);
    heard("https://registry-1.docker.io/v2/", "20;w=21600");
    heard("http://r.example:5000/v2/", "0");
    assert_eq!(
        pace.few(),
        [
            "Docker Hub: 20 of 100 requests are left of what its limit allows in 6h",
            "r.example:5000: 0 of 100 requests are left of what its limit allows in 6h"
        ]
    );
}

fn left(remaining: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("ratelimit-limit", "100;w=21600".parse().unwrap());
    headers.insert("ratelimit-remaining", remaining.parse().unwrap());
    headers
}

/// Docker Hub counts pulls alone: all else goes on.
#[tokio::test(start_paused = true)]
async fn a_limit_that_leaves_nothing_holds_what_counts_until_one_more_may_be_allowed() {
    let pace = Pace::new(limits(900));
    let (hub, other) = (
        address("https://registry-1.docker.io/v2/a"),
        address("https://r.example/v2/a"),
    );
    let began = Instant::now();
    pace.heard(&hub, 200, &left("0;w=21600"));
    pace.ready(&hub, Counts::AsAny).await.unwrap();
    pace.ready(&other, Counts::AsPull).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 0);
    let all = join_all((0..20).map(|_| pace.ready(&hub, Counts::AsPull))).await;
    assert!(all.iter().all(Result::is_ok));
    // One of a hundred in six hours.
    assert_eq!(began.elapsed().as_secs(), 216);
    // Something is left again.
    pace.heard(&hub, 429, &left("0;w=21600"));
    pace.heard(&hub, 200, &left("1;w=21600"));
    pace.ready(&hub, Counts::AsPull).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 216);
    // It goes on as long as the budget does, and says what it stopped for.
    let error = loop {
        pace.heard(&hub, 429, &left("0;w=21600"));
        if let Err(error) = pace.ready(&hub, Counts::AsPull).await {
            break error;
        }
    };
    assert_eq!(began.elapsed().as_secs(), 864);
    assert_eq!(
        error,
        "`registry-1.docker.io` has to be left alone for 3m36s more, for 0 of 100 requests are left of what its limit allows in 6h: the 15m of pauses that a run may make are spent"
    );
    // Who is not known to count pulls alone counts all, and who does not say for how long holds nobody.
    pace.heard(&other, 200, &left("0;w=21600"));
    assert!(pace.held(&other, Counts::AsAny).is_some());
    pace.heard(&other, 200, &{
        let mut headers = left("0");
        headers.insert("ratelimit-limit", "100".parse().unwrap());
        headers
    });
    assert_eq!(pace.held(&other, Counts::AsAny), None);
}
