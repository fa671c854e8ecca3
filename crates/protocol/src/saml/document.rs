//! A parsed XML document, the one tree that is verified and read.
//!
//! Nothing else may call the tree builder: several of its functions answer another
//! question than a reader of SAML asks. `Node::text` ends at the first comment, and
//! `Node::attribute("ID")` finds `x:ID` as well.
//!
//! Source: XML 1.0 §2, Namespaces in XML 1.0 §6.

use roxmltree::{Attribute, Node, NodeType, ParsingOptions};

use super::scan::{XmlError, XmlErrorKind, is_space, malformed};

const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// More nodes than the limits of [`scan`](super::scan()) leave.
const MAX_NODES: u32 = 100_000;
/// An identifier is shown no longer, in letters.
const MAX_SHOWN: usize = 100;

/// A document.
pub struct Document<'t> {
    tree: roxmltree::Document<'t>,
}

/// An element of a document.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Element<'d>(Node<'d, 'd>);

/// An element holds something else than text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("holds an element where text is expected")]
pub struct TextError;

/// An element that may stand once stands there again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("holds an element more than once")]
pub struct Repeated;

/// A step of a walk over an element and everything in it.
#[derive(Clone, Copy)]
pub(super) enum Step<'d> {
    /// An element begins.
    Open(Element<'d>),
    /// It ends.
    Close(Element<'d>),
    Text(&'d str),
    /// A processing instruction: its target and its content.
    Instruction(&'d str, Option<&'d str>),
}

/// An attribute with the name as it is written.
#[derive(Clone, Copy)]
pub(super) struct QualifiedAttribute<'d> {
    pub(super) name: &'d str,
    pub(super) namespace: &'d str,
    pub(super) local: &'d str,
    pub(super) value: &'d str,
}

impl<'t> Document<'t> {
    /// Parses a text that [`scan`](super::scan()) gave.
    ///
    /// # Errors
    ///
    /// [`XmlError`] if it is not well-formed, or two elements have one identifier.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that calls the tree builder"
    )]
    pub fn parse(text: &'t str) -> Result<Self, XmlError> {
        let options = ParsingOptions {
            allow_dtd: false,
            nodes_limit: MAX_NODES,
            ..ParsingOptions::default()
        };
        let tree = roxmltree::Document::parse_with_options(text, options).map_err(|error| match error {
            roxmltree::Error::DtdDetected => XmlErrorKind::DocumentType.into(),
            roxmltree::Error::NodesLimitReached
            | roxmltree::Error::AttributesLimitReached
            | roxmltree::Error::NamespacesLimitReached => XmlErrorKind::Limit("nodes").into(),
            error => malformed(&error.to_string()),
        })?;
        let document = Self { tree };
        document.refuse_duplicate_ids()?;
        Ok(document)
    }

    /// The root element.
    pub fn root(&self) -> Element<'_> {
        Element(self.tree.root_element())
    }

    /// SAML Core §1.3.4, XML-DSig §4.5, xml:id §4: an identifier names one element.
    fn refuse_duplicate_ids(&self) -> Result<(), XmlError> {
        let mut ids: Vec<&str> = self
            .tree
            .descendants()
            .flat_map(|node| node.attributes())
            .filter(|attribute| match attribute.namespace() {
                None => matches!(attribute.name(), "ID" | "Id"),
                Some(namespace) => namespace == XML && attribute.name() == "id",
            })
            .map(|attribute| attribute.value())
            .collect();
        ids.sort_unstable();
        match ids.windows(2).find(|pair| pair.first() == pair.last()) {
            Some(pair) => {
                let id = pair.first().copied().unwrap_or_default();
                Err(XmlErrorKind::DuplicateId(id.chars().take(MAX_SHOWN).collect()).into())
            }
            None => Ok(()),
        }
    }
}

impl<'d> Element<'d> {
    /// Whether it has this name in this namespace.
    pub fn is(self, namespace: &str, local_name: &str) -> bool {
        self.local_name() == local_name && self.namespace() == namespace
    }

    /// Its name without a prefix.
    pub fn local_name(self) -> &'d str {
        self.0.tag_name().name()
    }

    /// Its namespace; empty if it is in none.
    pub fn namespace(self) -> &'d str {
        self.0.tag_name().namespace().unwrap_or_default()
    }

    /// Its name as it is written, with the prefix.
    pub fn name(self) -> &'d str {
        let tag = self.source().get(1..).unwrap_or_default();
        let end = tag.find(|letter| is_space(letter) || matches!(letter, '/' | '>'));
        tag.get(..end.unwrap_or(tag.len())).unwrap_or_default()
    }

    /// The value of an attribute that is in no namespace: all of SAML's are.
    pub fn attribute(self, name: &str) -> Option<&'d str> {
        self.0
            .attributes()
            .find(|attribute| attribute.namespace().is_none() && attribute.name() == name)
            .map(|attribute| attribute.value())
    }

    /// The value of an attribute that is in a namespace, such as `xsi:type`.
    pub fn attribute_in(self, namespace: &str, name: &str) -> Option<&'d str> {
        self.0
            .attributes()
            .find(|attribute| attribute.namespace() == Some(namespace) && attribute.name() == name)
            .map(|attribute| attribute.value())
    }

    /// The element around it.
    pub fn parent(self) -> Option<Self> {
        self.0.parent_element().map(Self)
    }

    /// The elements directly in it.
    pub fn children(self) -> impl Iterator<Item = Self> + use<'d> {
        self.0.children().filter(Node::is_element).map(Self)
    }

    /// The elements of a name directly in it.
    pub fn children_named(
        self,
        namespace: &'static str,
        local_name: &'static str,
    ) -> impl Iterator<Item = Self> + use<'d> {
        self.children()
            .filter(move |child| child.is(namespace, local_name))
    }

    /// The first element of a name directly in it.
    pub fn child(self, namespace: &'static str, local_name: &'static str) -> Option<Self> {
        self.children_named(namespace, local_name).next()
    }

    /// The element of a name directly in it.
    ///
    /// # Errors
    ///
    /// [`Repeated`] if there are several.
    pub fn only(self, namespace: &'static str, local_name: &'static str) -> Result<Option<Self>, Repeated> {
        let mut named = self.children_named(namespace, local_name);
        let first = named.next();
        match named.next() {
            Some(_) => Err(Repeated),
            None => Ok(first),
        }
    }

    /// Itself and each element in it, in the order of the document.
    pub fn descendants(self) -> impl Iterator<Item = Self> + use<'d> {
        self.0.descendants().filter(Node::is_element).map(Self)
    }

    /// The whole text in it: comments and processing instructions do not end it.
    ///
    /// # Errors
    ///
    /// [`TextError`] if there is an element in it.
    pub fn text(self) -> Result<String, TextError> {
        let mut text = String::new();
        for node in self.0.children() {
            match node.node_type() {
                NodeType::Element => return Err(TextError),
                NodeType::Text => text.push_str(content(node)),
                NodeType::Comment | NodeType::PI | NodeType::Root => {}
            }
        }
        Ok(text)
    }

    /// The text, if there is one piece of it and not even a comment beside.
    pub(super) fn bare_text(self) -> Option<&'d str> {
        let mut children = self.0.children();
        let only = children.next().filter(Node::is_text)?;
        match children.next() {
            Some(_) => None,
            None => Some(content(only)),
        }
    }

    /// Whether there is nothing but elements and white space in it.
    pub(super) fn holds_elements_only(self) -> bool {
        self.0
            .children()
            .filter(Node::is_text)
            .all(|node| content(node).chars().all(is_space))
    }

    /// The prefix of its name; empty if it has none.
    pub(super) fn prefix(self) -> &'d str {
        self.name().split_once(':').map_or("", |(prefix, _)| prefix)
    }

    /// Its attributes; declarations of namespaces are none (Namespaces §3).
    pub(super) fn attributes(self) -> impl Iterator<Item = QualifiedAttribute<'d>> {
        let text = self.0.document().input_text();
        self.0
            .attributes()
            .map(move |attribute: Attribute<'d, 'd>| QualifiedAttribute {
                name: text.get(attribute.range_qname()).unwrap_or_default(),
                namespace: attribute.namespace().unwrap_or_default(),
                local: attribute.name(),
                value: attribute.value(),
            })
    }

    /// The namespaces that are in force at it: prefix, name.
    pub(super) fn namespaces(self) -> impl Iterator<Item = (&'d str, &'d str)> {
        self.0
            .namespaces()
            .map(|namespace| (namespace.name().unwrap_or_default(), namespace.uri()))
            .filter(|(prefix, _)| *prefix != "xml")
    }

    /// Everything in it and itself, comments excepted, without what is in `left_out`.
    pub(super) fn walk(self, left_out: Option<Self>) -> Walk<'d> {
        Walk {
            top: self.0,
            left_out: left_out.map(|element| element.0),
            next: Some((self.0, false)),
        }
    }

    /// Where it begins and ends in the text of the document.
    pub(super) fn range(self) -> std::ops::Range<usize> {
        self.0.range()
    }

    /// Where the first thing in it begins in the text of the document.
    pub(super) fn content_start(self) -> Option<usize> {
        self.0.first_child().map(|node| node.range().start)
    }

    /// The element as it is written.
    pub(super) fn source(self) -> &'d str {
        let text = self.0.document().input_text();
        text.get(self.range()).unwrap_or_default()
    }
}

/// The content of a text node. There the tree builder's function is what it seems.
#[expect(clippy::disallowed_methods, reason = "the node is a text, no element")]
fn content<'d>(node: Node<'d, 'd>) -> &'d str {
    node.text().unwrap_or_default()
}

/// A walk without recursion, so that no depth can exhaust the stack.
pub(super) struct Walk<'d> {
    top: Node<'d, 'd>,
    left_out: Option<Node<'d, 'd>>,
    /// The next node, and whether it is left.
    next: Option<(Node<'d, 'd>, bool)>,
}

impl<'d> Walk<'d> {
    /// What follows a node when everything in it is done.
    fn after(&self, node: Node<'d, 'd>) -> Option<(Node<'d, 'd>, bool)> {
        if node == self.top {
            return None;
        }
        match node.next_sibling() {
            Some(sibling) => Some((sibling, false)),
            None => node.parent().map(|parent| (parent, true)),
        }
    }
}

impl<'d> Iterator for Walk<'d> {
    type Item = Step<'d>;

    fn next(&mut self) -> Option<Step<'d>> {
        loop {
            let (node, leaves) = self.next?;
            if leaves {
                self.next = self.after(node);
                return Some(Step::Close(Element(node)));
            }
            if Some(node) == self.left_out {
                self.next = self.after(node);
                continue;
            }
            match node.node_type() {
                NodeType::Element => {
                    self.next = Some(node.first_child().map_or((node, true), |child| (child, false)));
                    return Some(Step::Open(Element(node)));
                }
                NodeType::Text => {
                    self.next = self.after(node);
                    return Some(Step::Text(content(node)));
                }
                NodeType::PI => {
                    self.next = self.after(node);
                    if let Some(instruction) = node.pi() {
                        return Some(Step::Instruction(instruction.target, instruction.value));
                    }
                }
                NodeType::Comment | NodeType::Root => self.next = self.after(node),
            }
        }
    }
}

#[cfg(test)]
mod tests;
