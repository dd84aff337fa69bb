use super::*;
use butterfly_kernel::types::{NodeId, NodeSet};

fn tell(stream: &Stream, times: usize) {
    for _ in 0..times {
        stream.tell(&Happening::Suspects(NodeSet::EMPTY.with(NodeId(3))));
    }
}

async fn all(reader: &mut Reader, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        numbers.extend(reader.next().await.unwrap().iter().map(|told| told.number));
    }
    numbers
}

#[tokio::test]
async fn nothing_is_kept_while_nobody_looks_on() {
    let stream = Stream::new(NodeId(0));
    tell(&stream, 3);
    assert!(!stream.is_wanted());
    let (mut reader, start) = stream.read(None).unwrap();
    assert_eq!((start, stream.is_wanted()), (Start::Anew, true));
    tell(&stream, 2);
    assert_eq!(all(&mut reader, 2).await, [1, 2]);
}

#[tokio::test]
async fn who_comes_back_goes_on_where_it_was_if_that_is_kept() {
    let stream = Stream::new(NodeId(0));
    let (mut reader, _) = stream.read(None).unwrap();
    tell(&stream, 5);
    assert_eq!(all(&mut reader, 5).await, [1, 2, 3, 4, 5]);
    drop(reader);
    tell(&stream, 2);
    let (mut again, start) = stream.read(Some(4)).unwrap();
    assert_eq!(start, Start::Resumed);
    assert_eq!(all(&mut again, 3).await, [5, 6, 7]);
    // From another life of the node, or lost.
    assert_eq!(stream.read(Some(8)).unwrap().1, Start::Anew);
    tell(&stream, KEPT);
    assert_eq!(stream.read(Some(6)).unwrap().1, Start::Anew);
    assert_eq!(stream.read(Some(7)).unwrap().1, Start::Resumed);
}

#[tokio::test]
async fn what_was_not_kept_is_missed_and_not_passed_over() {
    let stream = Stream::new(NodeId(0));
    let (mut reader, _) = stream.read(None).unwrap();
    tell(&stream, 1);
    assert_eq!(all(&mut reader, 1).await, [1]);
    drop(reader);
    stream.shared.kept().left = Instant::now().checked_sub(2 * GRACE);
    tell(&stream, 2);
    assert!(!stream.is_wanted(), "nobody came back");
    assert_eq!(stream.read(Some(1)).unwrap().1, Start::Anew);
}

#[tokio::test]
async fn a_reader_that_is_too_slow_is_told_so() {
    let stream = Stream::new(NodeId(0));
    let (mut reader, _) = stream.read(None).unwrap();
    tell(&stream, KEPT);
    assert_eq!(reader.next().await.unwrap().len(), BATCH);
    tell(&stream, BATCH);
    assert_eq!(reader.next().await.unwrap()[0].number, 257, "the oldest that is kept");
    tell(&stream, BATCH + 1);
    assert_eq!(reader.next().await.unwrap_err(), Behind);
}

#[tokio::test]
async fn readers_are_counted() {
    let stream = Stream::new(NodeId(0));
    let mut readers: Vec<_> = (0..READERS).map(|_| stream.read(None).unwrap()).collect();
    assert!(stream.read(None).is_none());
    readers.pop();
    assert!(stream.read(None).is_some());
}

#[test]
fn data_is_one_line_of_json_with_a_time() {
    let told = Happening::Evidence { accused: NodeId(3), fault: "votes" }.data(7);
    assert_eq!(told, r#"{"at_us":7,"accused":3,"fault":"votes"}"#);
}
