//! [`Module`]: a program or library whose code is in the process's memory.

use std::sync::Arc;

/// The code of a file, as it is mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Module {
    pub(super) start: u64,
    /// The first address behind it.
    pub(super) limit: u64,
    /// Where in the file that code stands.
    pub(super) file_offset: u64,
    /// Where the file as a whole begins: what `addr2line` is given are addresses less this one.
    pub(super) base: u64,
    pub(super) path: Arc<str>,
    /// In hexadecimal digits; empty if it is not known.
    pub(super) build_id: Arc<str>,
}

impl Module {
    pub(super) fn holds(&self, address: u64) -> bool {
        (self.start..self.limit).contains(&address)
    }

    /// An address by the file's name and the place there: `shop+0x1a2b`.
    pub(super) fn place(&self, address: u64) -> String {
        let file = self.path.rsplit('/').next().unwrap_or_default();
        format!("{file}+{:#x}", address.wrapping_sub(self.base))
    }
}

/// The most modules that are kept: a stack's addresses are looked for in one after another.
pub(super) const MAX_MODULES: usize = 1024;

/// What code the process has, the program first: a reading of `/proc/self/maps` and of the head of
/// each file in it. Empty where there is no such list.
#[cfg(feature = "profile")]
pub(super) fn of_process() -> Vec<Module> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return linux::modules();
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    Vec::new()
}

#[cfg(all(feature = "profile", any(target_os = "linux", target_os = "android")))]
mod linux {
    use std::collections::HashMap;
    use std::fs::{self, File};

    use object::read::{Object, ReadCache};

    use super::Module;

    /// What the kernel adds to the path of a file that is there no more.
    const DELETED: &str = " (deleted)";
    /// The program's file, also if another has its name by now.
    const PROGRAM: &str = "/proc/self/exe";

    pub(super) fn modules() -> Vec<Module> {
        let maps = fs::read(MAPS).unwrap_or_default();
        let program = fs::read_link(PROGRAM).unwrap_or_default();
        let program = program.to_string_lossy();
        let mut modules = parse(&String::from_utf8_lossy(&maps));
        modules.sort_by_key(|module| *module.path != *program);
        let mut build_ids = HashMap::new();
        for module in &mut modules {
            let file = if *module.path == *program { PROGRAM } else { &*module.path };
            let build_id = build_ids.entry(module.path.clone()).or_insert_with(|| build_id(file));
            module.build_id = build_id.clone().unwrap_or_default().into();
            if let Some(path) = module.path.strip_suffix(DELETED) {
                module.path = path.into();
            }
        }
        modules
    }

    const MAPS: &str = "/proc/self/maps";

    /// The mappings of files that can be executed.
    pub(super) fn parse(maps: &str) -> Vec<Module> {
        let mut bases: HashMap<&str, u64> = HashMap::new();
        let mut modules = Vec::new();
        for (range, permissions, file_offset, path) in maps.lines().filter_map(fields) {
            let Some((start, limit)) = range.split_once('-') else { continue };
            let [Some(start), Some(limit), Some(file_offset)] =
                [start, limit, file_offset].map(hex)
            else {
                continue;
            };
            // The first one is the lowest.
            let base = *bases.entry(path).or_insert(start.saturating_sub(file_offset));
            if permissions.contains('x') {
                let (path, build_id) = (path.into(), "".into());
                modules.push(Module { start, limit, file_offset, base, path, build_id });
            }
        }
        modules
    }

    /// Range, permissions, offset and path of a line; `None` if it is not of a file.
    fn fields(line: &str) -> Option<(&str, &str, &str, &str)> {
        let mut fields = line.splitn(6, ' ');
        let (range, permissions, offset) = (fields.next()?, fields.next()?, fields.next()?);
        // Device and inode; the path, in a column of its own.
        let path = fields.nth(2)?.trim_start();
        path.starts_with('/').then_some((range, permissions, offset, path))
    }

    fn hex(digits: &str) -> Option<u64> {
        u64::from_str_radix(digits, 16).ok()
    }

    fn build_id(path: &str) -> Option<String> {
        let file = ReadCache::new(File::open(path).ok()?);
        let object = object::File::parse(&file).ok()?;
        let build_id = object.build_id().ok()??;
        Some(build_id.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const LINES: &str = "\
55d0c0000000-55d0c0010000 r--p 00000000 fe:00 1234                       /usr/bin/the shop
55d0c0010000-55d0c0030000 r-xp 0000f000 fe:00 1234                       /usr/bin/the shop
7f0000000000-7f0000001000 rw-p 00000000 00:00 0
7f0000002000-7f0000003000 r-xp 00000000 fe:00 99                         /lib/old.so (deleted)
7ffd00000000-7ffd00001000 r-xp 00000000 00:00 0                          [vdso]
what is this
zz-zz r-xp 0 0 0 /nonsense
";

        #[test]
        fn code_of_files_is_found_with_the_address_that_the_file_begins_at() {
            let modules = parse(LINES);
            let found: Vec<_> = modules.iter().map(|module| (&*module.path, module.base)).collect();
            let expected = [
                ("/usr/bin/the shop", 0x55d0_c000_0000),
                ("/lib/old.so (deleted)", 0x7f00_0000_2000),
            ];
            assert_eq!(found, expected);
            let shop = &modules[0];
            assert_eq!((shop.start, shop.file_offset), (0x55d0_c001_0000, 0xf000));
            assert!(shop.holds(0x55d0_c001_0000) && !shop.holds(0x55d0_c003_0000));
            assert_eq!(shop.place(0x55d0_c001_2345), "the shop+0x12345");
        }

        #[test]
        fn this_program_is_the_first_and_has_code_at_its_functions() {
            let modules = super::super::of_process();
            let here = parse as fn(&str) -> Vec<Module> as usize as u64;
            let of_here = modules.iter().position(|module| module.holds(here));
            assert_eq!(of_here, Some(0), "{modules:?}");
            let path = std::env::current_exe().unwrap();
            assert_eq!(*modules[0].path, *path.to_string_lossy());
        }
    }
}
