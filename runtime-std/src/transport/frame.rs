//! Frames: a length of four bytes, little-endian, and as many bytes.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Most bytes in a frame. Checked before anything is buffered.
pub const MAX_FRAME: usize = 16 * 1024;

/// Writes one frame, without flushing.
///
/// # Errors
/// When the frame is too long or the stream fails.
pub async fn write(stream: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).ok().filter(|_| frame.len() <= MAX_FRAME).ok_or_else(too_long)?;
    stream.write_all(&length.to_le_bytes()).await?;
    stream.write_all(frame).await
}

/// Reads one frame into `buffer`, in place of what was in it.
///
/// # Errors
/// When the length is beyond [`MAX_FRAME`] or the stream ends or fails.
pub async fn read(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> io::Result<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length = usize::try_from(u32::from_le_bytes(length)).ok().filter(|length| *length <= MAX_FRAME);
    buffer.resize(length.ok_or_else(too_long)?, 0);
    stream.read_exact(buffer).await.map(|_| ())
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a frame of more than 16 KiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_survive_the_round_trip() {
        let mut stream = Vec::new();
        for frame in [&b""[..], b"one", &[7; MAX_FRAME]] {
            write(&mut stream, frame).await.unwrap();
        }
        let (mut rest, mut buffer) = (&stream[..], Vec::new());
        for frame in [&b""[..], b"one", &[7; MAX_FRAME]] {
            read(&mut rest, &mut buffer).await.unwrap();
            assert_eq!(buffer, frame);
        }
        assert!(read(&mut rest, &mut buffer).await.is_err());
    }

    #[tokio::test]
    async fn a_long_frame_is_refused_before_it_is_buffered() {
        assert!(write(&mut Vec::new(), &[0; MAX_FRAME + 1]).await.is_err());
        let mut buffer = Vec::new();
        let announced = u32::try_from(MAX_FRAME + 1).unwrap().to_le_bytes();
        assert!(read(&mut &announced[..], &mut buffer).await.is_err());
        assert_eq!(buffer.capacity(), 0);
    }
}
