use super::*;
use std::time::Instant;

fn sh(script: &str) -> Command {
    Command::new("sh").args(["-c", script])
}

#[tokio::test]
async fn input_is_read_and_the_password_never_given() {
    let command = sh("cat; echo $SPLITBASE_PASSWORD-")
        .env("SPLITBASE_PASSWORD", "hunter2")
        .input("in\n");
    let got = output(&command, None, &CancellationToken::new()).await.unwrap();
    assert_eq!(got.stdout, "in\n-\n");
    let unread = sh("exit 0").input("x".repeat(1 << 20));
    let got = output(&unread, None, &CancellationToken::new()).await.unwrap();
    assert_eq!(got.ended, Ended::Exited(0));
}

#[tokio::test]
async fn what_is_withheld_is_not_inherited() {
    // This process has a HOME, and the child is not to know it.
    let environment = Environment::of([("HOME_TOKEN", "hunter2"), ("HOME", "/x")]);
    environment.learn_secrets(["HOME"]);
    let given = environment.for_child(Child::Docker);
    let command = sh("echo ${HOME-none} $HOME_TOKEN").within(&given);
    let got = output(&command, None, &CancellationToken::new()).await.unwrap();
    assert_eq!(got.stdout, "none hunter2\n");
    assert!(!format!("{command:?}").contains("hunter2"), "{command:?}");
    // What a command says itself counts.
    let command = sh("echo $HOME").env("HOME", "/own").within(&given);
    let got = output(&command, None, &CancellationToken::new()).await.unwrap();
    assert_eq!(got.stdout, "/own\n");
}

fn alive(pid: &str) -> bool {
    // A zombie is not alive.
    let stat = std::path::Path::new("/proc").join(pid.trim()).join("stat");
    stat.exists() && !crate::testing::read(&stat).contains(") Z ")
}

async fn gone(pid: &str) -> bool {
    for _ in 0..50 {
        if !alive(pid) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

#[tokio::test]
async fn output_and_codes() {
    let cancel = CancellationToken::new();
    let got = output(&sh("echo out; echo err >&2; printf end; exit 3"), None, &cancel)
        .await
        .unwrap();
    assert_eq!(
        (got.ended, got.stdout.as_str(), got.stderr.as_str()),
        (Ended::Exited(3), "out\nend\n", "err\n")
    );
    let got = output(&sh("kill -TERM $$"), None, &cancel).await.unwrap();
    assert_eq!(got.ended, Ended::Signalled(15));
    let error = output(&Command::new("/nonexistent/x"), None, &cancel)
        .await
        .unwrap_err();
    assert!(error.to_string().starts_with("run `/nonexistent/x`: "));
}

#[tokio::test]
async fn variables_and_folder() {
    let mut command = sh("echo $A-${HOME-none}; pwd").env("A", "1").dir("/");
    command.env.insert("HOME".into(), None);
    let got = output(&command, None, &CancellationToken::new()).await.unwrap();
    assert_eq!(got.stdout, "1-none\n/\n");
}

#[tokio::test]
async fn every_line_arrives_and_long_ones_are_cut() {
    let script = "seq 1 20000; head -c 3000000 /dev/zero | tr '\\0' x";
    let got = output(&sh(script), None, &CancellationToken::new())
        .await
        .unwrap();
    let lines: Vec<&str> = got.stdout.lines().collect();
    assert_eq!(lines.len(), 20_003);
    assert_eq!(lines[19_999], "20000");
    assert_eq!(lines[20_000..].concat().len(), 3_000_000);
}

#[tokio::test]
async fn a_time_out_ends_grandchildren_that_ignore_it() {
    let start = Instant::now();
    let script = "trap '' TERM INT; sh -c 'trap \"\" TERM INT; echo $$; sleep 1000; sleep 1000'; sleep 1000";
    let limit = Some(Duration::from_millis(300));
    let got = output(&sh(script), limit, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(got.ended, Ended::TimedOut);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(gone(&got.stdout).await, "{got:?}");
}

#[tokio::test]
async fn an_interrupt_lets_the_child_clean_up() {
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let mut lines = Vec::new();
    let script = "trap 'echo cleaned; exit 0' INT; echo ready; while :; do sleep 0.05; done";
    let ended = run(&sh(script), None, &cancel, |_, line| {
        if line == "ready" {
            stop.cancel();
        }
        lines.push(line.to_owned());
    })
    .await
    .unwrap();
    assert_eq!(ended, Ended::Cancelled);
    assert_eq!(lines, ["ready", "cleaned"]);
}

#[tokio::test]
async fn a_grandchild_of_another_session_does_not_hold_it_up() {
    let start = Instant::now();
    let got = output(&sh("setsid sleep 20 & echo $!"), None, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(got.ended, Ended::Exited(0));
    assert!(start.elapsed() < Duration::from_secs(5));
    let pid = got
        .stdout
        .trim()
        .parse()
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let _ = rustix::process::kill_process(pid.unwrap(), rustix::process::Signal::KILL);
}

#[tokio::test]
async fn nothing_is_left_when_the_future_is_dropped() {
    let cancel = CancellationToken::new();
    let (sender, mut pids) = tokio::sync::mpsc::unbounded_channel();
    let command = sh("sh -c 'echo $$; sleep 1000; sleep 1000'; sleep 1000");
    let running = run(&command, None, &cancel, |_, line| {
        let _ = sender.send(line.to_owned());
    });
    let pid = tokio::select! {
        ended = running => panic!("{ended:?}"),
        pid = pids.recv() => pid.unwrap(),
    };
    assert!(gone(&pid).await, "{pid} runs on");
}
