//! `ehr explain`: what a code means and how to mend it.

use crate::{Done, Failure};
use ehrcore::error::{Code, Explanation};
use serde_json::json;

pub(crate) fn run(name: &str, as_json: bool) -> Done {
    let code = Code::from_name(name).ok_or(Failure::Usage("there is no code of that name or number"))?;
    let explanation = code.explanation();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if as_json {
        let mut made = json!({"code": code.name(), "number": code.number(), "sentence": code.sentence()});
        if let Some(Explanation { mend, bad, good, setting, .. }) = explanation {
            made["mend"] = json!(mend);
            made["setting"] = json!(setting.words());
            made["bad"] = json!(text(bad));
            made["good"] = json!(text(good));
        }
        println!("{made}");
        return Ok(());
    }
    println!("{} ({}): {}", code.name(), code.number(), code.sentence());
    if let Some(Explanation { mend, bad, good, setting, .. }) = explanation {
        println!("\n{mend}\n\nWrong, {}:\n  {}\n\nRight:\n  {}", setting.words(), text(bad), text(good));
    }
    Ok(())
}
