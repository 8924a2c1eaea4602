//! `schemagen PACKAGE.tgz core/src`: writes the tables even where core does not compile without them.

fn main() -> Result<(), ehrcore_schemagen::Error> {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    let [package, folder] = arguments.as_slice() else { return Err("usage: schemagen PACKAGE.tgz FOLDER".into()) };
    ehrcore_schemagen::run(package.as_ref(), folder.as_ref(), false)?;
    Ok(())
}
