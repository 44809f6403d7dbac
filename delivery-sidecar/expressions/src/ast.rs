//! The tree of an expression. No path in it is longer than [`crate::MAX_DEPTH`].

use crate::{function::Function, pattern::Pattern};

#[derive(Debug)]
pub(crate) struct Node {
    /// Byte of the text that its errors point at.
    pub at: usize,
    /// Levels below and with it.
    pub depth: usize,
    pub kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(String),
    /// What the scope holds under a name.
    Root(String),
    /// The item of the macro around it.
    Item,
    Select(Box<Node>, String),
    Has(Box<Node>, String),
    Index(Box<(Node, Node)>),
    Not(Box<Node>),
    Negate(Box<Node>),
    Binary(Binary, Box<(Node, Node)>),
    /// `&&` of all.
    And(Vec<Node>),
    /// `||` of all.
    Or(Vec<Node>),
    /// Condition, then, else.
    Choose(Box<(Node, Node, Node)>),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// A method's receiver is its first argument.
    Call(Function, Vec<Node>),
    Matches(Box<Node>, Pattern),
    Macro(Macro, Box<Over>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Binary {
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Macro {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

impl Macro {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "all" => Self::All,
            "exists" => Self::Exists,
            "exists_one" | "existsOne" => Self::ExistsOne,
            "filter" => Self::Filter,
            "map" => Self::Map,
            _ => return None,
        })
    }
}

/// What a macro goes over and does with each item.
#[derive(Debug)]
pub(crate) struct Over {
    pub range: Node,
    /// Of `map` with three arguments: which items it takes.
    pub condition: Option<Node>,
    pub body: Node,
}
