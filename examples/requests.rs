//! What each of several requests at once has allocated, kept and needed at most, with the part of
//! it that a task of its own does.
//!
//! `cargo run --release --example requests`

use bursar::{AccountingAllocator, Jemalloc, RequestExt, RequestScope, RequestUsage};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), tokio::task::JoinError> {
    let requests: Vec<_> = [10, 100, 1000].map(|lines| tokio::spawn(serve(lines))).into();
    for request in requests {
        let (answer, usage) = request.await?;
        println!(
            "an answer of {} bytes: allocated {}, kept {}, at most {}, in {} sections",
            answer.len(),
            usage.allocated_bytes,
            usage.net_bytes,
            usage.peak_bytes,
            usage.sections,
        );
    }
    Ok(())
}

/// Answers a request, and says what that took.
async fn serve(lines: usize) -> (String, RequestUsage) {
    let scope = RequestScope::new();
    let answer = respond(lines, scope.clone()).in_request(&scope).await;
    (answer, scope.usage())
}

async fn respond(lines: usize, scope: RequestScope) -> String {
    // Another task's polls are not this one's: it is given the scope.
    let table = tokio::spawn(load(lines).in_request(&scope));
    let title = format!("{lines} lines\n");
    match table.await {
        Ok(table) => title + &table.concat(),
        Err(error) => title + &error.to_string(),
    }
}

async fn load(lines: usize) -> Vec<String> {
    let mut table = Vec::new();
    for line in 0..lines {
        table.push(format!("line {line}\n"));
        if line % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    table
}
