//! Who may do what at a node.

super::vocabulary! {
    /// A role of an operator. Denied unless given.
    Role {
        1 AlertAuthor = "alert_author",
        2 AlertApprover = "alert_approver",
        3 DutyOfficer = "duty_officer",
        4 Caseworker = "caseworker",
        5 Medical = "medical",
        6 CpOfficer = "cp_officer",
        7 GbvOfficer = "gbv_officer",
        8 Supervisor = "supervisor",
        9 RflOfficer = "rfl_officer",
        10 DirectoryManager = "directory_manager",
        11 Dpo = "dpo",
        12 NodeAdmin = "node_admin",
        13 Auditor = "auditor",
        14 Interpreter = "interpreter",
    }
}
