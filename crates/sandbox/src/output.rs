//! A plugin's output, up to its limit.

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::SandboxError;

/// Reads to the end, or to the limit.
pub(crate) async fn collect(
    pipe: &mut (impl AsyncRead + Unpin),
    into: &mut Vec<u8>,
    limit: usize,
) -> Result<(), SandboxError> {
    let mut limited = pipe.take(limit as u64 + 1);
    let read = limited.read_to_end(into).await;
    read.map_err(|error| SandboxError::Unavailable(error.to_string()))?;
    if into.len() > limit {
        return Err(SandboxError::OutputLimit);
    }
    Ok(())
}
