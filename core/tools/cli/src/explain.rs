//! `ehr explain`: what a code means and how to mend it.

use crate::{Done, Failure};
use ehrcore::error::{Code, Example};
use serde_json::json;

pub(crate) fn run(name: &str, as_json: bool) -> Done {
    let code = Code::from_name(name).ok_or(Failure::Usage("there is no code of that name or number"))?;
    let explanation = code.explanation();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if as_json {
        let mut made = json!({
            "code": code.name(), "number": code.number(), "sentence": code.sentence(), "mend": explanation.mend,
        });
        if let Some(Example { setting, bad, good }) = explanation.example {
            made["setting"] = json!(setting.words());
            made["bad"] = json!(text(bad));
            made["good"] = json!(text(good));
        }
        println!("{made}");
        return Ok(());
    }
    println!("{} ({}): {}\n\n{}", code.name(), code.number(), code.sentence(), explanation.mend);
    if let Some(Example { setting, bad, good }) = explanation.example {
        let shown = |bytes: &[u8]| text(bytes).replace('\n', "\n  ");
        println!("\nWrong, {}:\n  {}\n\nRight:\n  {}", setting.words(), shown(bad), shown(good));
    }
    Ok(())
}
