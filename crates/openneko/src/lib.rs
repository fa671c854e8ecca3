//! openneko: a plugin host whose sign-in is a sandboxed plugin.
