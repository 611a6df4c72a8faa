//! A harness for tests that need the process to themselves: one after another, on the main
//! thread. A panic anywhere ends the process, so that no thread waits for one that has gone.

/// The tests of these names, for [`run`].
macro_rules! stories {
    ($($name:ident),+ $(,)?) => {
        $crate::stories::run(&[$((stringify!($name), $name as fn())),+])
    };
}
pub(crate) use stories;

/// Runs each, or those whose name has one of the program's arguments in it.
pub(crate) fn run(stories: &[(&str, fn())]) {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    for (name, story) in stories {
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())) {
            println!("test {name}");
            story();
        }
    }
}
