//! What a signature covers, as a type.

use super::SignatureMethod;
use crate::saml::document::{Element, Repeated, TextError};

/// An element that a registered key signed.
///
/// Only [`verify`](super::verify()) makes one, and only of the very node whose octets it
/// digested. It never gives an [`Element`] out, so nothing beside the signature can be
/// read through it.
#[derive(Clone, Copy)]
pub struct Signed<'d> {
    element: Element<'d>,
    /// The signature itself, which an enveloped signature does not cover.
    signature: Option<Element<'d>>,
}

/// A signature held.
#[derive(Clone, Copy)]
pub struct Verified<'d> {
    /// What it covers.
    pub signed: Signed<'d>,
    /// Which of the keys verified it.
    pub key: usize,
    /// Its algorithm.
    pub method: SignatureMethod,
}

impl<'d> Signed<'d> {
    /// Made by the verifier alone.
    pub(super) const fn new(element: Element<'d>, signature: Element<'d>) -> Self {
        Self {
            element,
            signature: Some(signature),
        }
    }

    /// The assertion that was encrypted in this element: the signature covers the cipher
    /// text, so it covers what the text means. Only for what was decrypted out of it.
    pub(in crate::saml) const fn decrypted<'e>(self, assertion: Element<'e>) -> Signed<'e> {
        Signed {
            element: assertion,
            signature: None,
        }
    }

    /// Whether it has this name in this namespace.
    pub fn is(self, namespace: &str, local_name: &str) -> bool {
        self.element.is(namespace, local_name)
    }

    /// Its name without a prefix.
    pub fn local_name(self) -> &'d str {
        self.element.local_name()
    }

    /// Its namespace; empty if it is in none.
    pub fn namespace(self) -> &'d str {
        self.element.namespace()
    }

    /// The value of an attribute that is in no namespace.
    pub fn attribute(self, name: &str) -> Option<&'d str> {
        self.element.attribute(name)
    }

    /// The value of an attribute that is in a namespace, such as `xsi:nil`.
    pub fn attribute_in(self, namespace: &str, name: &str) -> Option<&'d str> {
        self.element.attribute_in(namespace, name)
    }

    /// The elements directly in it, without the signature.
    pub fn children(self) -> impl Iterator<Item = Self> + use<'d> {
        self.element
            .children()
            .filter(move |child| Some(*child) != self.signature)
            .map(|element| Self {
                element,
                signature: None,
            })
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

    /// The whole text in it: comments and processing instructions do not end it.
    ///
    /// # Errors
    ///
    /// [`TextError`] if there is an element in it.
    pub fn text(self) -> Result<String, TextError> {
        self.element.text()
    }
}
