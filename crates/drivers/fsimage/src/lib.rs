//! The fsimage of a NameNode, as a store that can be listed but not read.
