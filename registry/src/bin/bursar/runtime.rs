//! Running what waits for the network, on this thread.

use crate::failure::{Failure, Kind};

/// Runs `command` to its end.
pub(crate) fn block_on<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let failed = |error| Failure::new(Kind::File, format!("nothing can be waited for: {error}"));
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().map_err(failed)?;
    let result = runtime.block_on(command);
    // A look-up of a name that hangs is not waited for.
    runtime.shutdown_background();
    result
}
