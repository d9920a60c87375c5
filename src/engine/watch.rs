//! Watches free space while a plan runs: what a failed build took is free again when it has failed.

use super::info::Answer;
use super::room::{Free, Place, elsewhere, free, local_root};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time between two looks.
const PERIOD: Duration = Duration::from_millis(200);
/// Longest time that the first look may take: a lost file system must not hold up a run.
const PATIENCE: Duration = Duration::from_secs(5);
/// Looks that are remembered of each place.
const MOST: usize = 2_000;

/// What was seen of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The place.
    pub place: Place,
    /// The least that was free.
    pub lowest: Free,
}

/// The lowest figures of one place, each higher than the one before it: the first that is not too old is the lowest since then.
#[derive(Debug)]
struct Lows {
    place: Place,
    lows: VecDeque<(Instant, Free)>,
}

impl Lows {
    fn add(&mut self, at: Instant, free: Free) {
        while self.lows.back().is_some_and(|(_, low)| low.room() >= free.room()) {
            self.lows.pop_back();
        }
        if self.lows.len() == MOST {
            self.lows.pop_front();
        }
        self.lows.push_back((at, free));
    }

    fn since(&self, began: Instant) -> Option<Free> {
        let low = self.lows.iter().find(|(at, _)| *at >= began);
        low.map(|(_, free)| *free)
    }
}

/// The room that a plan has, watched until this is dropped.
#[derive(Debug, Default)]
pub struct Room {
    lows: Arc<Mutex<Vec<Lows>>>,
    /// Why the engine's disk is not among the places.
    unseen: Option<String>,
    stop: Option<Sender<()>>,
}

impl Room {
    /// Looks at the places that a plan writes to: the engine's folder, that of temporary files, and the layout, if it goes into one. Gives what was free, too.
    pub async fn look(answer: &Answer, layout: Option<&Path>) -> (Self, Vec<(Place, Free)>) {
        let answer = answer.clone();
        let layout = layout.map(Path::to_owned);
        let looked = tokio::task::spawn_blocking(move || {
            let mut places = vec![Place::temporary()];
            places.extend(layout.as_deref().map(Place::layout));
            let unseen = match answer.engine() {
                Some(info) => match local_root(info) {
                    Some(root) => {
                        places.insert(0, Place::engine(root));
                        None
                    }
                    None => Some(elsewhere(info)),
                },
                None => Some("the engine does not say where it keeps its images".to_owned()),
            };
            let found = places.into_iter().filter_map(|place| {
                let free = free(&place.path).ok()?;
                Some((place, free))
            });
            (found.collect::<Vec<_>>(), unseen)
        });
        let Ok(Ok((found, unseen))) = tokio::time::timeout(PATIENCE, looked).await else {
            return (Self::default(), Vec::new());
        };
        (Self::watching(&found, unseen), found)
    }

    fn watching(found: &[(Place, Free)], unseen: Option<String>) -> Self {
        let now = Instant::now();
        let first = found.iter().map(|(place, free)| Lows {
            place: place.clone(),
            lows: [(now, *free)].into(),
        });
        let lows = Arc::new(Mutex::new(first.collect::<Vec<_>>()));
        let (stop, stopped) = mpsc::channel();
        let (kept, places) = (lows.clone(), found.to_vec());
        // Not a task: asking a file system blocks while that does.
        std::thread::spawn(move || {
            while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                add(&kept, places.iter().map(|(place, _)| place));
            }
        });
        Self {
            lows,
            unseen,
            stop: Some(stop),
        }
    }

    /// The lowest figures since then, of each place.
    pub(super) async fn since(&self, began: Instant) -> Vec<Seen> {
        // The last moment counts too.
        let kept = self.lows.clone();
        let look = tokio::task::spawn_blocking(move || {
            let places: Vec<Place> = lock(&kept).iter().map(|lows| lows.place.clone()).collect();
            add(&kept, places.iter());
        });
        let _ = tokio::time::timeout(PATIENCE, look).await;
        let lows = lock(&self.lows);
        let seen = lows.iter().filter_map(|lows| {
            Some(Seen {
                place: lows.place.clone(),
                lowest: lows.since(began)?,
            })
        });
        seen.collect()
    }

    /// Why the engine's disk is not looked at, where it is not.
    #[must_use]
    pub fn unseen(&self) -> Option<&str> {
        self.unseen.as_deref()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // The watcher sees that nobody sends any more.
        self.stop = None;
    }
}

fn add<'a>(lows: &Mutex<Vec<Lows>>, places: impl Iterator<Item = &'a Place>) {
    let found: Vec<_> = places.map(|place| free(&place.path).ok()).collect();
    let now = Instant::now();
    for (lows, free) in lock(lows).iter_mut().zip(found) {
        if let Some(free) = free {
            lows.add(now, free);
        }
    }
}

fn lock(lows: &Mutex<Vec<Lows>>) -> MutexGuard<'_, Vec<Lows>> {
    lows.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_since_then_is_known() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let free = |bytes| Free {
            id: 1,
            bytes,
            total: 1_000,
            files: None,
        };
        let mut lows = Lows {
            place: Place::temporary(),
            lows: VecDeque::new(),
        };
        for (seconds, bytes) in [(0, 900), (1, 100), (2, 5), (3, 700), (4, 300), (5, 800)] {
            lows.add(at(seconds), free(bytes));
        }
        let since = |seconds| lows.since(at(seconds)).map(|free| free.bytes);
        assert_eq!(since(0), Some(5));
        assert_eq!(since(2), Some(5));
        assert_eq!(since(3), Some(300));
        assert_eq!(since(5), Some(800));
        assert_eq!(since(6), None);
    }

    #[tokio::test]
    async fn a_place_is_watched() {
        let place = Place::layout(Path::new("/no/such/layout"));
        assert_eq!(place.path, Path::new("/"));
        let now = free(&place.path).unwrap();
        let full = Free { bytes: 0, ..now };
        let room = Room::watching(&[(place, full)], None);
        let seen = room.since(Instant::now()).await;
        // What was before does not count any more.
        assert!(seen[0].lowest.bytes > 0, "{seen:?}");
        assert!(
            room.since(Instant::now().checked_sub(Duration::from_secs(60)).unwrap())
                .await[0]
                .lowest
                .bytes
                == 0
        );
    }
}
