import ButterflyBindings

// Values cross the boundary as they are; their documentation is that of the
// generated code, which is Rust's. Objects and errors have a surface of their own.

public typealias Answer = ButterflyBindings.Answer
public typealias Ask = ButterflyBindings.Ask
public typealias Blame = ButterflyBindings.Blame
public typealias Commit = ButterflyBindings.Commit
public typealias CommitProof = ButterflyBindings.CommitProof
public typealias Decision = ButterflyBindings.Decision
public typealias Denial = ButterflyBindings.Denial
public typealias Digest = ButterflyBindings.Digest
public typealias Doing = ButterflyBindings.Doing
public typealias Evidence = ButterflyBindings.Evidence
public typealias Fault = ButterflyBindings.Fault
public typealias Input = ButterflyBindings.Input
public typealias MessageFacts = ButterflyBindings.MessageFacts
public typealias Model = ButterflyBindings.Model
public typealias Nonce = ButterflyBindings.Nonce
public typealias Output = ButterflyBindings.Output
public typealias Path = ButterflyBindings.Path
public typealias Plan = ButterflyBindings.Plan
public typealias Refusal = ButterflyBindings.Refusal
public typealias Report = ButterflyBindings.Report
public typealias Request = ButterflyBindings.Request
public typealias Role = ButterflyBindings.Role
public typealias RosterFacts = ButterflyBindings.RosterFacts
public typealias Sampling = ButterflyBindings.Sampling
public typealias Secrets = ButterflyBindings.Secrets
public typealias Sent = ButterflyBindings.Sent
public typealias SessionEvent = ButterflyBindings.SessionEvent
public typealias Standing = ButterflyBindings.Standing
public typealias Statement = ButterflyBindings.Statement
public typealias Status = ButterflyBindings.Status
public typealias Step = ButterflyBindings.Step
public typealias Timer = ButterflyBindings.Timer
public typealias Transmission = ButterflyBindings.Transmission
public typealias Who = ButterflyBindings.Who
public typealias Work = ButterflyBindings.Work
