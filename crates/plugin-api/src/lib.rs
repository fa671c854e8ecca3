//! What an OpenNeko plugin is compiled against: the RPC contract, the manifest and marketplace formats, guest glue.
