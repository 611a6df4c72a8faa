//! A function on AWS Lambda, on the real `lambda_runtime`: no thread of Bursar's, a checkpoint at
//! the end of each invocation, 503 when memory is exhausted.
//!
//! On Lambda this program is the function, and the limit is that of
//! `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`. Anywhere else it shows itself at work: it starts itself once
//! more under a small Runtime API of its own, invokes that, freezes and thaws it in between, and
//! prints what it answers:
//!
//! `cargo run --release --example lambda`

mod function;
mod runtime_api;

use bursar::{AccountingAllocator, Jemalloc};
use lambda_runtime::{LambdaEvent, service_fn};
use runtime_api::{Environment, Failure};
use serde_json::Value;

use function::Function;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        // What lives from one invocation to the next is made once, in the init phase.
        let function = Function::start()?;
        let answer = async |event: LambdaEvent<Value>| function.invoke(&event.payload);
        return lambda_runtime::run(service_fn(answer)).await;
    }
    show().await
}

/// Invokes this very program as Lambda would.
async fn show() -> Result<(), Failure> {
    let environment = Environment::start(&std::env::current_exe()?, 128).await?;
    println!("an environment of 128 MB");
    for path in ["/report/1", "/report/1", "/health"] {
        invoke_and_print(&environment, path).await?;
    }
    if environment.freeze()? {
        println!("frozen and thawed");
        environment.thaw()?;
    }
    for id in 2..400 {
        environment.invoke(&format!("/report/{id}")).await?;
    }
    println!("398 more reports, 280 MB of them in all");
    for path in ["/hold/125", "/report/1", "/health", "/release", "/report/1", "/health"] {
        invoke_and_print(&environment, path).await?;
    }
    Ok(())
}

async fn invoke_and_print(environment: &Environment, path: &str) -> Result<(), Failure> {
    let answer = environment.invoke(path).await?;
    let body = answer["body"].as_str().unwrap_or_default();
    println!("{path}: {} {body}", answer["statusCode"]);
    Ok(())
}
