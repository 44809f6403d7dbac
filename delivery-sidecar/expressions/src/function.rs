//! The functions that there are.

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    LowerAscii,
    UpperAscii,
    Trim,
    Replace,
    Split,
    Join,
    Substring,
    Int,
    Uint,
    Double,
    String,
    Bool,
    Timestamp,
    Duration,
    FormatTime,
}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Global,
    Method,
    Both,
}

/// Name, function, form, and how many arguments it takes at least and at most, a method's receiver among them.
type Row = (&'static str, Function, Form, usize, usize);

const TABLE: [Row; 19] = [
    ("size", Function::Size, Form::Both, 1, 1),
    ("contains", Function::Contains, Form::Method, 2, 2),
    ("startsWith", Function::StartsWith, Form::Method, 2, 2),
    ("endsWith", Function::EndsWith, Form::Method, 2, 2),
    ("lowerAscii", Function::LowerAscii, Form::Method, 1, 1),
    ("upperAscii", Function::UpperAscii, Form::Method, 1, 1),
    ("trim", Function::Trim, Form::Method, 1, 1),
    ("replace", Function::Replace, Form::Method, 3, 3),
    ("split", Function::Split, Form::Method, 2, 2),
    ("join", Function::Join, Form::Method, 1, 2),
    ("substring", Function::Substring, Form::Method, 2, 3),
    ("int", Function::Int, Form::Global, 1, 1),
    ("uint", Function::Uint, Form::Global, 1, 1),
    ("double", Function::Double, Form::Global, 1, 1),
    ("string", Function::String, Form::Global, 1, 1),
    ("bool", Function::Bool, Form::Global, 1, 1),
    ("timestamp", Function::Timestamp, Form::Global, 1, 1),
    ("duration", Function::Duration, Form::Global, 1, 1),
    ("formatTime", Function::FormatTime, Form::Global, 2, 2),
];

impl Function {
    /// The function of a call with so many arguments.
    ///
    /// # Errors
    /// What would be right.
    pub fn find(name: &str, method: bool, arguments: usize) -> Result<Self, String> {
        let Some((_, function, form, least, most)) = TABLE.iter().find(|row| row.0 == name) else {
            let known: Vec<&str> = TABLE.iter().map(|row| row.0).collect();
            return Err(format!(
                "there is no function {name:?}; there are has, all, exists, exists_one, filter, map, matches, {}",
                known.join(", ")
            ));
        };
        match (form, method) {
            (Form::Global, true) => {
                return Err(format!("{name} is not a method: write {name}(x) instead of x.{name}()"));
            }
            (Form::Method, false) => return Err(format!("{name} is a method: write x.{name}() instead of {name}(x)")),
            _ => {}
        }
        if (*least..=*most).contains(&arguments) {
            return Ok(*function);
        }
        let own = usize::from(method);
        let (least, most) = (least - own, most - own);
        let expected = if least == most { least.to_string() } else { format!("{least} or {most}") };
        Err(format!("{name} takes {expected} arguments, not {}", arguments - own))
    }

    pub fn name(self) -> &'static str {
        TABLE.iter().find(|row| row.1 == self).map_or("", |row| row.0)
    }
}
