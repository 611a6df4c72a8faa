//! A harness for tests that need the process to themselves: one after another, on the main
//! thread. A panic anywhere ends the process, so that no thread waits for one that has gone.

/// The tests of these names, for [`run`].
macro_rules! stories {
    ($($name:path),+ $(,)?) => {
        $crate::stories::run(&[$((stringify!($name), $name as fn())),+])
    };
}
pub(crate) use stories;

/// Runs each, or those that the program's arguments pick: `NAME` and `--skip NAME` for a part of
/// the name, as with the standard harness.
pub(crate) fn run(stories: &[(&str, fn())]) {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
    let (mut wanted, mut skipped) = (Vec::new(), Vec::new());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        if arg == "--skip" {
            skipped.extend(args.next());
        } else if !arg.starts_with('-') {
            wanted.push(arg);
        }
    }
    for (name, story) in stories {
        let has = |part: &String| name.contains(part.as_str());
        if !skipped.iter().any(has) && (wanted.is_empty() || wanted.iter().any(has)) {
            println!("test {name}");
            story();
        }
    }
}
